package tensors_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mergevo/mergevo/tensors"
	"github.com/nlpodyssey/safetensors"
)

// valid headers, with the bytes of data they ask for.
var valid = []struct {
	name, header string
	data         int
}{
	{"none", `{}`, 0},
	{"one", `{"t":{"dtype":"I32","shape":[2,2],"data_offsets":[0,16]}}`, 16},
	{"padded", `{"t":{"dtype":"I32","shape":[2,2],"data_offsets":[0,16]}}       `, 16},
	{"metadata", `{"__metadata__":{"format":"pt"},"t":{"dtype":"F16","shape":[1],"data_offsets":[0,2]}}`, 2},
	{"scalar", `{"t":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}`, 4},
	{"empty tensor first", `{"e":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"t":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}}`, 3},
	{"empty tensor last", `{"t":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"e":{"dtype":"F32","shape":[5,0],"data_offsets":[3,3]}}`, 3},
	{"misaligned", `{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"F64","shape":[1],"data_offsets":[3,11]}}`, 11},
	{"any order", `{"b":{"data_offsets":[3,11],"shape":[1],"dtype":"F64"},"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}}`, 11},
	{"small floats", `{"a":{"dtype":"F8_E4M3","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"BF16","shape":[1],"data_offsets":[3,5]},"c":{"dtype":"F4","shape":[2],"data_offsets":[5,6]}}`, 6},
}

func TestOpenValid(t *testing.T) {
	for _, test := range valid {
		t.Run(test.name, func(t *testing.T) {
			raw := file(test.header, make([]byte, test.data)...)
			c := open(t, put(t, t.TempDir(), "m.safetensors", raw))
			for _, info := range c.Tensors() {
				b, err := c.Raw(info.Name)
				if err != nil || int64(len(b)) != info.Bytes() {
					t.Errorf("%v: %d bytes, %v", info, len(b), err)
				}
			}
			agree(t, c, raw)
		})
	}
}

// agree holds what we read against the reference library, where it knows all
// the dtypes.
func agree(t testing.TB, c *tensors.Checkpoint, raw []byte) {
	t.Helper()
	for _, info := range c.Tensors() {
		if _, err := safetensors.ParseDType(info.DType.String()); err != nil {
			return
		}
	}
	st, err := safetensors.Deserialize(raw)
	if err != nil {
		t.Fatalf("opened, but the library says: %v", err)
	}
	want := map[string]string{}
	for _, v := range st.Tensors() {
		want[v.Name] = fmt.Sprint(v.TensorView.DType(), v.TensorView.Shape(), v.TensorView.Data())
	}
	got := map[string]string{}
	for _, info := range c.Tensors() {
		b, err := c.Raw(info.Name)
		if err != nil {
			t.Fatal(err)
		}
		got[info.Name] = fmt.Sprint(info.DType, info.Shape, b)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("the library reads something else (-library +ours):\n%s", d)
	}
}

// malformed files, and a piece of what is said of each.
var malformed = []struct {
	name string
	raw  []byte
	want string
}{
	{"empty file", nil, "byte 0: only 0 bytes, too short for a safetensors file; download it again"},
	{"short", []byte("1234567"), "only 7 bytes"},
	{"header over limit", []byte("\xff\xff\xff\xff\xff\xff\xff\xff{}"), "over the format's limit"},
	{"header over file", file("{}")[:9], "truncated: the header takes 2 bytes and only 1 follow; download it again"},
	{"header over file by far", []byte("\x00\xe1\xf5\x05\x00\x00\x00\x00{}"), "takes 100000000 bytes and only 2 follow"},
	{"no header", file(""), "cannot hold a JSON object"},
	{"lfs", []byte("version https://git-lfs.github.com/spec/v1\n"), "git lfs pull"},
	{"pickle", []byte("PK\x03\x04 and so on"), "PyTorch pickle"},
	{"html", []byte("<!doctype html>"), "web page"},
	{"gguf", []byte("GGUF\x03\x00\x00\x00"), "GGUF"},
	{"array", file(`[{}]`), "byte 8: the header does not start with '{'"},
	{"leading space", file(` {}`), "does not start with '{'"},
	{"not json", file(`{nope}`), "not valid JSON"},
	{"cut json", file(`{"t":{"dtype":"F32"`), "byte 27: tensor \"t\": the JSON ends too early"},
	{"trailing comma", file(`{"t":{"dtype":"U8","shape":[1,],"data_offsets":[0,1]}}`, 1), "not valid JSON"},
	{"utf-8", file("{\"\xff\":1}"), "byte 10: not valid UTF-8"},
	{"trailing garbage", file(`{}  x`), "byte 12: 'x' follows the JSON"},
	{"trailing zero", file("{}\x00"), "'\\x00' follows the JSON"},
	{"second object", file(`{}{}`), "follows the JSON"},
	{"entry no object", file(`{"t":[1]}`), `tensor "t": its entry must be a JSON object`},
	{"metadata no object", file(`{"__metadata__":"x"}`), "__metadata__ must be a JSON object"},
	{"metadata no string", file(`{"__metadata__":{"a":1}}`), `__metadata__ "a" must be a string`},
	{"metadata twice", file(`{"__metadata__":{},"__metadata__":{}}`), `byte 27: the header has the key "__metadata__" twice`},
	{"metadata key twice", file(`{"__metadata__":{"a":"1","a":"2"}}`), `__metadata__ has the key "a" twice`},
	{"tensor twice", file(`{"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1), `byte 61: the header has the key "t" twice`},
	{"tensor twice, escaped", file(`{"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"\u0074":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1), `key "t" twice`},
	{"key twice", file(`{"t":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1), `byte 27: tensor "t": its entry has the key "dtype" twice`},
	{"unknown key", file(`{"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"x":1}}`, 1), `unknown key "x"`},
	{"key of another case", file(`{"t":{"DType":"U8","shape":[1],"data_offsets":[0,1]}}`, 1), `unknown key "DType"`},
	{"no dtype", file(`{"t":{"shape":[1],"data_offsets":[0,1]}}`, 1), `byte 9: tensor "t": its entry lacks "dtype"`},
	{"no shape", file(`{"t":{"dtype":"U8","data_offsets":[0,1]}}`, 1), `lacks "shape"`},
	{"no offsets", file(`{"t":{"dtype":"U8","shape":[1]}}`, 1), `lacks "data_offsets"`},
	{"dtype no string", file(`{"t":{"dtype":7,"shape":[1],"data_offsets":[0,1]}}`, 1), "dtype must be a string"},
	{"unknown dtype", file(`{"w.q":{"dtype":"I4","shape":[2],"data_offsets":[0,1]}}`, 1), `byte 24: tensor "w.q": unknown dtype "I4"`},
	{"shape no array", file(`{"t":{"dtype":"U8","shape":1,"data_offsets":[0,1]}}`, 1), "shape must be a JSON array"},
	{"shape null", file(`{"t":{"dtype":"U8","shape":null,"data_offsets":[0,1]}}`, 1), "shape must be a JSON array"},
	{"shape of strings", file(`{"t":{"dtype":"U8","shape":["1"],"data_offsets":[0,1]}}`, 1), "shape must hold numbers only"},
	{"shape negative", file(`{"t":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}}`, 1), `byte 36: tensor "t": shape holds the negative number -1`},
	{"shape fraction", file(`{"t":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}}`, 1), "not a whole number"},
	{"shape exponent", file(`{"t":{"dtype":"U8","shape":[1e0],"data_offsets":[0,1]}}`, 1), "not a whole number"},
	{"shape huge number", file(`{"t":{"dtype":"U8","shape":[99999999999999999999],"data_offsets":[0,1]}}`, 1), "too large"},
	{"shape over 63 bits", file(`{"t":{"dtype":"U8","shape":[9223372036854775808],"data_offsets":[0,1]}}`, 1), "too large"},
	{"shape overflow", file(`{"t":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`), `tensor "t": shape is too large`},
	{"shape overflow by dtype", file(`{"t":{"dtype":"F64","shape":[4611686018427387904],"data_offsets":[0,0]}}`), "too large"},
	{"shape overflow before 0", file(`{"t":{"dtype":"U8","shape":[4294967296,4294967296,0],"data_offsets":[0,0]}}`), "too large"},
	{"half a byte", file(`{"t":{"dtype":"F4","shape":[3],"data_offsets":[0,1]}}`, 1), "do not fill whole bytes"},
	{"one offset", file(`{"t":{"dtype":"U8","shape":[1],"data_offsets":[0]}}`, 1), "must hold 2 numbers, not 1"},
	{"three offsets", file(`{"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1,2]}}`, 1), "must hold 2 numbers, not 3"},
	{"offset negative", file(`{"t":{"dtype":"U8","shape":[1],"data_offsets":[-1,0]}}`, 1), "negative"},
	{"offset huge", file(`{"t":{"dtype":"U8","shape":[1],"data_offsets":[0,18446744073709551616]}}`, 1), "too large"},
	{"offsets reversed", file(`{"t":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}}`, 1), "[1, 0] are reversed"},
	{"size", file(`{"t":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}`, 1, 2, 3, 4), `give it 4 bytes, but F32 of shape [2] takes 8`},
	{"overlap", file(`{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}}`, 1, 2, 3, 4, 5, 6), `byte 61: tensor "b": overlaps tensor "a"`},
	{"same bytes", file(`{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}`, 1, 2, 3, 4), `tensor "b": overlaps tensor "a"`},
	{"hole", file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[3,4]}}`, 1, 2, 3, 4), `tensor "b": bytes 1 to 3 of the data, before it, belong to no tensor`},
	{"hole at start", file(`{"b":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`, 1, 2), "bytes 0 to 1"},
	{"truncated", file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"F32","shape":[2],"data_offsets":[1,9]}}`, 1, 2, 3), `tensor "b": truncated: it ends at byte 9 of the data and the file holds 3; download it again`},
	{"far beyond", file(`{"t":{"dtype":"U8","shape":[1152921504606846976],"data_offsets":[0,1152921504606846976]}}`, 1), "truncated"},
	{"data after", file(`{"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1, 2, 3), "byte 62: 2 bytes after the last tensor"},
}

func TestOpenMalformed(t *testing.T) {
	for _, test := range malformed {
		t.Run(test.name, func(t *testing.T) {
			path := put(t, t.TempDir(), "m.safetensors", test.raw)
			c, err := tensors.Open(path)
			if err == nil {
				c.Close()
				t.Fatal("opened")
			}
			var fe *tensors.FormatError
			if !errors.As(err, &fe) || fe.Path != path {
				t.Errorf("%v: a %T, want a *FormatError for %s", err, err, path)
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %q\nlacks %q", err, test.want)
			}
		})
	}
}

func TestOpenFolder(t *testing.T) {
	ok := func(name string) string {
		return string(file(`{"` + name + `":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}`))
	}
	for _, test := range []struct {
		name  string
		files map[string]string
		want  string // tensors, or what the error says
	}{
		{"model first", map[string]string{"model.safetensors": ok("m"), "other.safetensors": ok("o"), "model.safetensors.index.json": "junk"}, "m"},
		{"index next", map[string]string{"a.safetensors": ok("a"), "b.safetensors": ok("b"), "model.safetensors.index.json": `{"weight_map":{"a":"a.safetensors"}}`}, "a"},
		{"only one", map[string]string{"adapter_model.safetensors": ok("lora"), "config.json": "{}"}, "lora"},
		{"two", map[string]string{"a.safetensors": ok("a"), "b.safetensors": ok("b")}, "holds 2 safetensors files (a.safetensors, b.safetensors)"},
		{"pickle", map[string]string{"pytorch_model.bin": "PK"}, "convert it first"},
		{"nothing", map[string]string{"README.md": ""}, "no safetensors file in"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, content := range test.files {
				put(t, dir, name, []byte(content))
			}
			c, err := tensors.Open(dir)
			if err != nil {
				if !strings.Contains(err.Error(), test.want) {
					t.Errorf("error %q lacks %q", err, test.want)
				}
				return
			}
			defer c.Close()
			var got []string
			for _, info := range c.Tensors() {
				got = append(got, info.Name)
			}
			if strings.Join(got, " ") != test.want || c.Dir() != dir || c.Path() != dir {
				t.Errorf("tensors %q, dir %s; want %q, %s", got, c.Dir(), test.want, dir)
			}
		})
	}
	if _, err := tensors.Open(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing path: %v", err)
	}
}

// A Hugging Face cache: the snapshot holds links into a folder of blobs.
func TestOpenLinkedSnapshot(t *testing.T) {
	dir := t.TempDir()
	snapshot := filepath.Join(dir, "snapshots", "abc")
	write(t, filepath.Join(dir, "made"), model, tensors.Options{ShardSize: 32})
	for i, name := range names(t, filepath.Join(dir, "made")) {
		blob := filepath.Join(dir, "blobs", fmt.Sprint("hash", i))
		if err := os.MkdirAll(filepath.Dir(blob), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "made", name), blob); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(snapshot, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.Join("..", "..", "blobs", filepath.Base(blob)), filepath.Join(snapshot, name)); err != nil {
			t.Skip(err)
		}
	}
	c := open(t, snapshot)
	if c.Dir() != snapshot || len(c.Tensors()) != len(model) {
		t.Errorf("dir %s with %d tensors", c.Dir(), len(c.Tensors()))
	}
	blob := filepath.Join(dir, "blobs", "hash0")
	if err := os.Remove(blob); err != nil {
		t.Fatal(err)
	}
	if _, err := tensors.Open(snapshot); err == nil || !strings.Contains(err.Error(), "names the missing shard model-00001-of-") {
		t.Errorf("broken link: %v", err)
	}
}

func TestOpenNeitherFileNorFolder(t *testing.T) {
	if _, err := tensors.Open(os.DevNull); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("device: %v", err)
	}
}

// Eight gigabytes open, and are read from, without taking memory for them.
func TestOpenLargeIsLazy(t *testing.T) {
	const size = 8 << 30
	header := fmt.Sprintf(`{"t":{"dtype":"BF16","shape":[%d],"data_offsets":[0,%d]}}`, size/2, size)
	path := put(t, t.TempDir(), "m.safetensors", file(header))
	if err := os.Truncate(path, int64(8+len(header))+size); err != nil {
		t.Skip("no sparse files here: ", err)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	c := open(t, path)
	dst := make([]float32, 1000)
	for _, off := range []int{0, size / 4, size/2 - len(dst)} {
		if err := c.ReadAt(dst, "t", off); err != nil {
			t.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 1<<20 {
		t.Errorf("opening and reading allocated %d bytes", used)
	}
}
