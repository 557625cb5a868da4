package merge_test

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/internal/xla/xlatest"
	"github.com/mergevo/mergevo/merge"
	"github.com/mergevo/mergevo/tensors"
	"github.com/mergevo/mergevo/tensors/view"
)

// adaptedSources are the base of a type and the adapters for it that lie in the
// folder of the views' tests: LoRA and DoRA, of matrices either way round, convolutions,
// embeddings and biases.
func adaptedSources(t *testing.T, kind string) (base *tensors.Checkpoint, names []string, adapted []tensors.Source) {
	t.Helper()
	dir := filepath.Join("..", "tensors", "view", "testdata")
	files, err := filepath.Glob(filepath.Join(dir, "*-"+kind, "adapter_model.safetensors"))
	if err != nil || len(files) == 0 {
		t.Fatalf("adapters of %s: %v %v", kind, files, err)
	}
	for _, f := range files {
		c, err := tensors.Open(filepath.Join(dir, kind+".safetensors")) // each opens the base anew
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		a, err := view.OpenAdapter(filepath.Dir(f))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { a.Close() })
		v, err := a.On(c)
		if err != nil {
			t.Fatal(err)
		}
		base, names, adapted = c, append(names, filepath.Base(filepath.Dir(f))), append(adapted, v)
	}
	return base, names, adapted
}

// What the device makes of a base and an adapter's factors is to the last bit what the
// host reads of both.
func TestAdaptersOnTheDevice(t *testing.T) {
	for _, b := range xlatest.Backends(t) {
		for _, kind := range []string{"f32", "bf16", "f16"} {
			_, names, adapted := adaptedSources(t, kind)
			for i, src := range adapted {
				t.Run(b.Kind+"/"+names[i], func(t *testing.T) {
					parents, err := merge.NewParents(names[i:i+1], adapted[i:i+1], nil, merge.MissingRefuse, false)
					if err != nil {
						t.Fatal(err)
					}
					pop, err := merge.Load(b.Backend, parents)
					if err != nil {
						t.Fatal(err)
					}
					defer pop.Finalize()
					m, _ := merge.Lookup("passthrough")
					spec := &merge.Spec{Method: m, Parts: []merge.Part{{Base: -1, Inputs: []int{0}}},
						Params: func(string) (merge.Values, []merge.Values) { return m.NewValues(), []merge.Values{m.NewValues()} }}
					products := 0
					for _, info := range parents.Merged() {
						if tensors.OriginOf(src, info.Name).Add != nil {
							products++
						}
						x, own, failed, err := pop.Tensor(t.Context(), spec, info.Name, false)
						if err != nil || failed != nil {
							t.Fatal(failed, err)
						}
						var got []byte
						if err := x.ConstBytes(func(raw []byte) { got = bytes.Clone(raw) }); err != nil {
							t.Fatal(err)
						}
						if own {
							_ = x.FinalizeAll()
						}
						err = src.Stored(info.Name, 0, info.Len(), func(want []byte) error {
							if !bytes.Equal(got, want) {
								t.Errorf("%s %v: other bits than the host reads", info.Name, info.Shape)
							}
							return nil
						})
						if err != nil {
							t.Fatal(err)
						}
					}
					if products == 0 {
						t.Error("the adapter adds to no tensor: the test says nothing")
					}
				})
			}
		}
	}
}

// The base of several adapters is held once, and of each adapter its factors.
func TestAdaptersShareTheirBase(t *testing.T) {
	base, names, adapted := adaptedSources(t, "f32")
	if len(adapted) < 3 {
		t.Fatalf("only %v", names)
	}
	size := func(s tensors.Source) (n int64) {
		for _, t := range s.Tensors() {
			n += t.Bytes()
		}
		return n
	}
	most := size(base)
	for _, name := range names {
		c, err := tensors.Open(filepath.Join("..", "tensors", "view", "testdata", name, "adapter_model.safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		most += size(c)
	}
	got := merge.Resident(adapted)
	if got > most || got < size(base) {
		t.Errorf("%d bytes for %s; base and adapters take %d, as many models %d", got, strings.Join(names, ", "), most, int64(len(adapted))*size(base))
	}
}
