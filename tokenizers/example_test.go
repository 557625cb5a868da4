package tokenizers_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/mergevo/mergevo/tokenizers"
)

func Example() {
	models := []tokenizers.Model{
		model("base", `{"the": 0, "cat": 1}`),
		model("chat", `{"cat": 0, "<|user|>": 1}`),
	}
	u, err := tokenizers.Unite(tokenizers.Request{Models: models, Base: "base", Source: "union"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("rows:", u.Padded, "of them <|user|>:", u.IDs["<|user|>"])
	for k, m := range models {
		fmt.Println(m.Name, "reads", u.Rows[k])
	}
	// Output:
	// rows: 3 of them <|user|>: 2
	// base reads [{[{0 0}]} {[{0 1}]} {[{1 1}]}]
	// chat reads [{[{0 0}]} {[{1 0}]} {[{1 1}]}]
}

func model(name, vocab string) tokenizers.Model {
	dir, err := os.MkdirTemp("", name)
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "tokenizer.json"), []byte(`{"model": {"vocab": `+vocab+`}}`), 0o644); err != nil {
		log.Fatal(err)
	}
	t, err := tokenizers.Load(dir)
	if err != nil {
		log.Fatal(err)
	}
	return tokenizers.Model{Name: name, Tokenizer: t, Rows: t.Size()}
}
