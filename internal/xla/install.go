package xla

import (
	"archive/zip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/gomlx/go-xla/installer"
)

// Bar draws progress in bytes; a nil Bar draws none.
type Bar func(title string, total int64) io.WriteCloser

// wheel is a pinned Python wheel that carries a PJRT CPU plugin.
type wheel struct {
	project, version, sha256 string
	member                   string // the plugin's path in the wheel
	size                     int64
}

// wheels by GOOS/GOARCH. OpenXLA's 0.115 is nearest to what go-xla is made for.
var wheels = map[string]wheel{
	"linux/amd64": {
		project: "lammps-jax-pjrt-cpu", version: "0.11.2", size: 62711338,
		sha256: "1319390d948b39f69f7dade496b7c385149d9ca6097a6b62114da113216d9ad1",
		member: "lammps_jax_pjrt_cpu/pjrt_c_api_cpu_plugin.so",
	},
}

// Install puts the XLA CPU plugin into Dir and returns its path. What is there
// already is kept. It fetches the pinned wheel from the package index, then
// through the user's pip, which knows of mirrors and proxies, and where no wheel
// is pinned for the platform, uses go-xla's own installer. The plugin appears by
// rename, its sha256 checked, or not at all.
func Install(ctx context.Context, talk io.Writer, bar Bar) (string, error) {
	if p, err := Find("cpu"); err == nil {
		return p, nil
	}
	if offline() {
		return "", errors.New("no XLA plugin is installed and MERGEVO_OFFLINE is set")
	}
	dir, err := Dir()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("making the plugin's folder: %w", err)
	}
	w, ok := wheels[runtime.GOOS+"/"+runtime.GOARCH]
	if !ok {
		return installGoXLA(dir, talk)
	}
	scratch, err := os.MkdirTemp(dir, ".install-*")
	if err != nil {
		return "", fmt.Errorf("making a scratch folder: %w", err)
	}
	defer os.RemoveAll(scratch)
	fmt.Fprintf(talk, "mergevo: installing the XLA CPU plugin (%s %s, %d MB, once)\n", w.project, w.version, w.size>>20)
	file, err := w.fetch(ctx, scratch, bar)
	if err != nil && ctx.Err() == nil {
		var pipErr error
		if file, pipErr = w.pip(ctx, scratch); pipErr != nil {
			return "", fmt.Errorf("fetching %s %s: %w; through pip: %w", w.project, w.version, err, pipErr)
		}
		err = nil
	}
	if err != nil {
		return "", err
	}
	if err := checkSum(file, w.sha256); err != nil {
		return "", err
	}
	target := filepath.Join(dir, "pjrt_c_api_cpu_"+w.version+"_plugin.so")
	if err := w.unpack(file, scratch, target); err != nil {
		return "", err
	}
	fmt.Fprintf(talk, "mergevo: installed %s (sha256 of the wheel checked)\n", target)
	return target, nil
}

func offline() bool { return os.Getenv("MERGEVO_OFFLINE") != "" }

// fetch downloads the wheel from the simple index ($PIP_INDEX_URL, else PyPI),
// whose file addresses may be relative to the index.
func (w wheel) fetch(ctx context.Context, dir string, bar Bar) (string, error) {
	index := strings.TrimSuffix(os.Getenv("PIP_INDEX_URL"), "/")
	if index == "" {
		index = "https://pypi.org/simple"
	}
	page := index + "/" + w.project + "/"
	ctx, cancel := context.WithTimeout(ctx, 30*time.Minute)
	defer cancel()
	body, err := get(ctx, page, "application/vnd.pypi.simple.v1+json")
	if err != nil {
		return "", err
	}
	defer body.Close()
	var listing struct {
		Files []struct {
			URL    string
			Hashes map[string]string
		}
	}
	if err := json.NewDecoder(io.LimitReader(body, 64<<20)).Decode(&listing); err != nil {
		return "", fmt.Errorf("%s does not answer as a package index: %w", page, err)
	}
	for _, f := range listing.Files {
		if f.Hashes["sha256"] != w.sha256 {
			continue
		}
		base, err := url.Parse(page)
		if err != nil {
			return "", err
		}
		at, err := base.Parse(f.URL)
		if err != nil {
			return "", err
		}
		return w.download(ctx, at.String(), dir, bar)
	}
	return "", fmt.Errorf("%s lists no file with the pinned sha256", page)
}

func (w wheel) download(ctx context.Context, address, dir string, bar Bar) (string, error) {
	body, err := get(ctx, address, "*/*")
	if err != nil {
		return "", err
	}
	defer body.Close()
	file := filepath.Join(dir, "plugin.whl")
	out, err := os.Create(file)
	if err != nil {
		return "", err
	}
	defer out.Close()
	var to io.Writer = out
	if bar != nil {
		b := bar("downloading", w.size)
		defer b.Close()
		to = io.MultiWriter(out, b)
	}
	if _, err := io.Copy(to, io.LimitReader(body, w.size+1)); err != nil {
		return "", fmt.Errorf("downloading %s: %w", path.Base(address), err)
	}
	return file, out.Close()
}

func get(ctx context.Context, address, accept string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", accept)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, fmt.Errorf("%s: %s", address, resp.Status)
	}
	return resp.Body, nil
}

func (w wheel) pip(ctx context.Context, dir string) (string, error) {
	for _, name := range []string{"pip3", "pip"} {
		pip, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		out, err := exec.CommandContext(ctx, pip, "download", "--quiet", "--no-deps", "--only-binary=:all:",
			"--dest", dir, w.project+"=="+w.version).CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(string(out)))
		}
		found, err := filepath.Glob(filepath.Join(dir, "*.whl"))
		if err != nil || len(found) == 0 {
			return "", fmt.Errorf("%s left no wheel", name)
		}
		return found[len(found)-1], nil
	}
	return "", errors.New("pip is not on the path")
}

func checkSum(file, want string) error {
	got, err := sum(file)
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("the downloaded plugin has sha256 %s, not the pinned %s; nothing was installed", got, want)
	}
	return nil
}

// unpack extracts the plugin beside its target and renames it there.
func (w wheel) unpack(file, scratch, target string) error {
	z, err := zip.OpenReader(file)
	if err != nil {
		return fmt.Errorf("opening the wheel: %w", err)
	}
	defer z.Close()
	in, err := z.Open(w.member)
	if err != nil {
		return fmt.Errorf("the wheel holds no %s: %w", w.member, err)
	}
	defer in.Close()
	tmp := filepath.Join(scratch, "plugin.so")
	out, err := os.OpenFile(tmp, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	defer out.Close()
	if _, err := io.Copy(out, in); err != nil {
		return fmt.Errorf("unpacking the plugin: %w", err)
	}
	if err := out.Sync(); err != nil {
		return fmt.Errorf("unpacking the plugin: %w", err)
	}
	if err := out.Close(); err != nil {
		return fmt.Errorf("unpacking the plugin: %w", err)
	}
	return os.Rename(tmp, target)
}

// installGoXLA uses go-xla's installer, which has no hash to check against.
func installGoXLA(dir string, talk io.Writer) (string, error) {
	fmt.Fprintf(talk, "mergevo: installing go-xla's XLA CPU plugin (from GitHub, no pinned sha256 for %s/%s)\n", runtime.GOOS, runtime.GOARCH)
	if err := installer.CPUInstall(runtime.GOOS+"_"+runtime.GOARCH, "latest", dir, false, installer.Quiet); err != nil {
		return "", fmt.Errorf("go-xla's installer: %s", short(err))
	}
	return Find("cpu")
}
