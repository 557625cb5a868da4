package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mergevo/mergevo/hub/hubtest"
	"github.com/mergevo/mergevo/internal/xla"
)

// TestMain lets the test binary be the command: scripts run it under its name,
// each time as a process of its own.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"mergevo": main, "outside": outside, peerName: peer})
}

// TestScripts runs testdata/script. Each script starts in a folder of its own that
// holds the digits and their models as mnist, tiny models of texts as encoder and
// decoder, adapters of the decoder as lora-a and lora-b, others as adapters and, with a U-Net and a
// text encoder, unet, models of images as images, and quick
// searches, small.yaml and niche.yaml.
func TestScripts(t *testing.T) {
	server := digitsHub(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("HF_ENDPOINT", server)
			env.Setenv("HF_HOME", filepath.Join(env.WorkDir, "hf"))
			return setUp(env)
		},
		Condition: condition,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":      exitsCommand,
			"events":     eventsCommand,
			"samescores": sameScoresCommand,
			"cut":        cutCommand,
			"poke":       pokeCommand,
			"drop":       dropCommand,
			"disk":       diskCommand,
			"await":      awaitCommand,
			"large":      largeCommand,
		},
	})
}

// digitsHub starts a Hub that has the digits' models as digits/low, its base
// digits/high, which is what only the token may read, and digits/small, which fits to
// neither. It returns its address.
func digitsHub(t *testing.T) string {
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join("..", "..", "testdata", "mnist", "mlp", name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	s := hubtest.New(t)
	card := []byte("---\nlicense: mit\n---\n")
	for _, name := range []string{"low", "high"} {
		s.Add("digits/"+name, map[string][]byte{
			"config.json": read("config.json"), "model.safetensors": read(name + ".safetensors"), "README.md": card,
			"pytorch_model.bin": []byte("never fetched"), "modeling.py": []byte("nor run"),
		})
	}
	s.Model("digits/high").Private = true
	s.Add("digits/small", map[string][]byte{
		"config.json": read("config.json"), "model.safetensors": hubtest.Safetensors(map[string][]int{"fc1.weight": {2, 2}}, 0),
	})
	return s.URL
}

func setUp(env *testscript.Env) error {
	mnist, err := filepath.Abs(filepath.Join("..", "..", "testdata", "mnist"))
	if err != nil {
		return err
	}
	if err := os.Symlink(mnist, filepath.Join(env.WorkDir, "mnist")); err != nil {
		return err
	}
	texts := filepath.Join("..", "..", "evaluate", "testdata")
	folders := map[string]string{"adapters": filepath.Join("..", "..", "adapters", "testdata"), "unet": filepath.Join("..", "..", "tensors", "view", "testdata", "files"),
		"units": filepath.Join("..", "..", "merge", "align", "testdata"), "digits": filepath.Join("..", "..", "testdata", "digits")}
	for _, name := range []string{"encoder", "encoder-b", "decoder", "lora-a", "lora-b", "images"} {
		folders[name] = filepath.Join(texts, name)
	}
	for name, from := range folders {
		dir, err := filepath.Abs(from)
		if err != nil {
			return err
		}
		if err := os.Symlink(dir, filepath.Join(env.WorkDir, name)); err != nil {
			return err
		}
	}
	env.Vars = append(env.Vars, testEnv()...)
	return copyRecipes(env.WorkDir)
}

// copyRecipes copies the quick searches, small.yaml and niche.yaml, into a folder.
func copyRecipes(dir string) error {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		return err
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(f)), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// testEnv is what the command needs to find the plugin of the real home, and to
// download none.
func testEnv() []string {
	env := []string{"MERGEVO_OFFLINE=1"}
	if dir, err := xla.Dir(); err == nil {
		env = append(env, "MERGEVO_XLA_DIR="+dir)
	}
	return env
}

// condition adds [xla], the CPU plugin is installed; [root], permissions do not bind
// us; [tmpfs], we may mount a small disk.
func condition(name string) (bool, error) {
	switch name {
	case "xla":
		_, err := xla.Find("cpu")
		return err == nil, nil
	case "root":
		return os.Geteuid() == 0, nil
	case "tmpfs":
		return mountable(), nil
	}
	return false, errors.New("unknown condition " + name)
}

// exitsCommand runs a program and checks its exit code: exits 2 mergevo check FILE.
func exitsCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits code program [args...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("it exits with %d, not %d", got, want)
	}
}
