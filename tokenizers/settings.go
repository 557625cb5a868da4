package tokenizers

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// settings are what lies beside the vocabulary: tokenizer_config.json,
// special_tokens_map.json, added_tokens.json.
type settings struct {
	decoder []Added // of added_tokens_decoder, by id
	legacy  []Added // of added_tokens.json, by id
	named   []named // special tokens, in the order in which transformers adds them
	// template is the value of chat_template, nil without one.
	template *string
	// lowercase is the value of do_lower_case, true without one.
	lowercase bool
	// hasDecoder tells an empty added_tokens_decoder from none.
	hasDecoder bool
}

// named is a special token and the key that names it: bos_token.
type named struct{ key, text string }

// specialKeys are the keys of single special tokens in the order in which
// transformers adds them; other keys that end in _token follow, then lists.
var specialKeys = []string{"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"}

// tokenKeys are what a tokenizer's settings say of special tokens.
type tokenKeys struct {
	single map[string]string // by key
	order  []string
	lists  []string // the texts of the lists
	listed bool
}

// readSettings reads the files beside the vocabulary, those there are.
func readSettings(dir folder) (*settings, error) {
	s := &settings{lowercase: true}
	config, err := s.config(dir)
	if err != nil {
		return nil, err
	}
	if !s.hasDecoder {
		beside, err := readTokenKeys(dir, "special_tokens_map.json")
		if err != nil {
			return nil, err
		}
		config.override(beside)
		if err := s.addedTokens(dir); err != nil {
			return nil, err
		}
	}
	s.named = config.named()
	return s, nil
}

// override takes over what special_tokens_map.json says: its single tokens win,
// its lists only where tokenizer_config.json has none.
func (k *tokenKeys) override(by *tokenKeys) {
	for _, key := range by.order {
		k.set(key, by.single[key])
	}
	if !k.listed {
		k.lists = by.lists
	}
}

func (k *tokenKeys) set(key, text string) {
	if _, ok := k.single[key]; !ok {
		k.order = append(k.order, key)
	}
	k.single[key] = text
}

func (k *tokenKeys) named() []named {
	keys := slices.Clone(specialKeys)
	for _, key := range k.order {
		if !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	var list []named
	for _, key := range keys {
		if text := k.single[key]; text != "" {
			list = append(list, named{key, text})
		}
	}
	for _, text := range k.lists {
		list = append(list, named{"additional_special_tokens", text})
	}
	return list
}

// config reads tokenizer_config.json.
func (s *settings) config(dir folder) (*tokenKeys, error) {
	k := &tokenKeys{single: map[string]string{}}
	return k, dir.object("tokenizer_config.json", func(c *cursor, key string) error {
		switch {
		case key == "added_tokens_decoder" && c.peek() == '{':
			s.hasDecoder = true
			return s.readDecoder(c)
		case key == "do_lower_case" && c.peek() == 'f':
			s.lowercase = false
		case key == "chat_template" && (c.peek() == '"' || c.peek() == '['):
			text, err := c.template()
			if text != nil {
				s.template = text
			}
			return err
		}
		return k.read(c, key)
	})
}

func readTokenKeys(dir folder, name string) (*tokenKeys, error) {
	k := &tokenKeys{single: map[string]string{}}
	return k, dir.object(name, func(c *cursor, key string) error { return k.read(c, key) })
}

// read takes a key's value if it is a special token or a list of them.
func (k *tokenKeys) read(c *cursor, key string) error {
	switch b := c.peek(); {
	case strings.HasSuffix(key, "_token") && (b == '"' || b == '{'):
		text, err := c.tokenText()
		if err == nil && text != "" {
			k.set(key, text)
		}
		return err
	case key != "additional_special_tokens" && key != "extra_special_tokens":
		return c.skip()
	case b == '[':
		k.listed = true
		return c.list(key, func() error {
			text, err := c.tokenText()
			if text != "" {
				k.lists = append(k.lists, text)
			}
			return err
		})
	case b == '{': // extra_special_tokens: {image_token: <image>}
		k.listed = true
		return c.object(key, func(string, int) error {
			text, err := c.tokenText()
			if text != "" {
				k.lists = append(k.lists, text)
			}
			return err
		})
	}
	return c.skip()
}

// tokenText reads a token that is spelt as a string or as {"content": ...}; of
// anything else it is "".
func (c *cursor) tokenText() (string, error) {
	switch c.peek() {
	case '"':
		return c.str("a token")
	case '{':
		a, err := c.token()
		return a.Text, err
	}
	return "", c.skip()
}

// token reads an object with a token's content and flags.
func (c *cursor) token() (Added, error) {
	var a Added
	flags := map[string]*bool{"single_word": &a.SingleWord, "lstrip": &a.LStrip, "rstrip": &a.RStrip, "normalized": &a.Normalized, "special": &a.Special}
	err := c.object("a token", func(key string, _ int) (err error) {
		flag := flags[key]
		switch {
		case key == "id":
			a.ID, err = c.id("the token's id")
		case key == "content":
			a.Text, err = c.str("the token's content")
		case flag != nil:
			*flag, err = c.boolean(key)
		default:
			err = c.skip()
		}
		return err
	})
	return a, err
}

func (s *settings) readDecoder(c *cursor) error {
	const what = "added_tokens_decoder"
	byID := map[int]Added{}
	err := c.object(what, func(key string, at int) error {
		id, err := strconv.ParseUint(key, 10, 31)
		if err != nil {
			return c.fail(at, "a key of %s is a token's id, not %q", what, key)
		}
		a, err := c.token()
		if err != nil {
			return err
		}
		if other, ok := byID[int(id)]; ok {
			return c.fail(at, "%s gives id %d to %q and to %q; remove one", what, id, other.Text, a.Text)
		}
		byID[int(id)] = a
		return nil
	})
	for _, id := range slices.Sorted(maps.Keys(byID)) {
		s.decoder = append(s.decoder, byID[id])
	}
	return err
}

func (s *settings) addedTokens(dir folder) error {
	byID := map[int]string{}
	const name = "added_tokens.json"
	err := dir.object(name, func(c *cursor, text string) error {
		at := c.at
		id, err := c.id("the id of " + strconv.Quote(text))
		if err != nil {
			return err
		}
		if other, ok := byID[id]; ok {
			return c.fail(at, "id %d is given to %q and to %q; remove one", id, other, text)
		}
		byID[id] = text
		return nil
	})
	for _, id := range slices.Sorted(maps.Keys(byID)) {
		s.legacy = append(s.legacy, Added{Text: byID[id]})
	}
	return err
}
