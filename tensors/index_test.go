package tensors_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/mergevo/mergevo/tensors"
)

func TestIndexMalformed(t *testing.T) {
	one := func(names ...string) []byte {
		var entries []string
		for _, name := range names {
			entries = append(entries, `"`+name+`":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}`)
		}
		return file("{" + strings.Join(entries, ",") + "}")
	}
	for _, test := range []struct{ name, index, want string }{
		{"not json", `{`, "the JSON ends too early"},
		{"no object", `[]`, "the index must be a JSON object"},
		{"no weight map", `{"metadata":{"total_size":1}}`, "lacks weight_map"},
		{"weight map no object", `{"weight_map":[]}`, "weight_map must be a JSON object"},
		{"shard no string", `{"weight_map":{"a":1}}`, `byte 19: tensor "a": its shard must be a string`},
		{"weight map twice", `{"weight_map":{},"weight_map":{}}`, `"weight_map" twice`},
		{"tensor twice", `{"weight_map":{"a":"1.safetensors","a":"2.safetensors"}}`, `"a" twice`},
		{"garbage after", `{"weight_map":{}} x`, "follows the JSON"},
		{"missing shard", `{"weight_map":{"a":"none.safetensors"}}`, "names the missing shard none.safetensors"},
		{"up", `{"weight_map":{"a":"../1.safetensors"}}`, `shard path "../1.safetensors" leaves the folder`},
		{"up and back", `{"weight_map":{"a":"x/../1.safetensors"}}`, "leaves the folder"},
		{"absolute", `{"weight_map":{"a":"/etc/passwd"}}`, "leaves the folder"},
		{"backslash", `{"weight_map":{"a":"..\\1.safetensors"}}`, "leaves the folder"},
		{"no name", `{"weight_map":{"a":""}}`, "leaves the folder"},
		{"the folder", `{"weight_map":{"a":"."}}`, "not a regular file"},
		{"shard lacks it", `{"weight_map":{"a":"1.safetensors","z":"1.safetensors"}}`, `tensor "z": not in the shard 1.safetensors`},
		{"not mentioned", `{"weight_map":{"b":"2.safetensors"}}`, `tensor "c": not in`},
		{"in two shards", `{"weight_map":{"a":"1.safetensors","b":"2.safetensors","c":"3.safetensors"}}`, `tensor "c": `},
		{"malformed shard", `{"weight_map":{"a":"bad.safetensors"}}`, "too short"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			put(t, dir, "1.safetensors", one("a"))
			put(t, dir, "2.safetensors", one("b", "c"))
			put(t, dir, "3.safetensors", one("c"))
			put(t, dir, "bad.safetensors", nil)
			path := put(t, dir, "model.safetensors.index.json", []byte(test.index))
			for _, p := range []string{dir, path} {
				c, err := tensors.Open(p)
				if err == nil {
					c.Close()
					t.Fatal("opened")
				}
				var fe *tensors.FormatError
				if !errors.As(err, &fe) || !strings.Contains(err.Error(), test.want) {
					t.Errorf("%T %q lacks %q", err, err, test.want)
				}
				if test.name == "missing shard" && !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%v does not wrap fs.ErrNotExist", err)
				}
			}
		})
	}
}
