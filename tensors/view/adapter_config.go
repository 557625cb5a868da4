package view

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"
)

// adapterConfig is what an adapter_config.json says about the numbers beside it.
type adapterConfig struct {
	Base        string  `json:"base_model_name_or_path"`
	Type        string  `json:"peft_type"`
	Rank        int     `json:"r"`
	Alpha       float64 `json:"lora_alpha"`
	RankStable  bool    `json:"use_rslora"`
	Dora        bool    `json:"use_dora"`
	FanInFanOut bool    `json:"fan_in_fan_out"`
	Ranks       pattern `json:"rank_pattern"`
	Alphas      pattern `json:"alpha_pattern"`
}

// otherThanBA lists the keys under which an adapter is not W + s·BA, and why it is
// refused rather than read as if it were.
var otherThanBA = []struct{ key, why string }{
	{"alora_invocation_tokens", "acts on some tokens only, so no weights stand for it"},
	{"arrow_config", "routes every token anew, so no weights stand for it"},
	{"kasa_config", "changes the weights of the base, too"},
	{"layer_replication", "repeats layers of the base; merge these first, with slices"},
	{"monteclora_config", "draws its weights at random"},
	{"target_parameters", "adapts parameters that are no modules"},
	{"trainable_token_indices", "replaces single rows of embeddings"},
	{"use_bdlora", "keeps its factors in blocks"},
	{"use_qalora", "pools its inputs for a quantised base"},
}

// movesBase lists the initialisations that subtract what the adapter starts as from
// the base, so that the adapter belongs to weights other than those on disk.
var movesBase = []string{"pissa", "olora", "corda", "loftq", "lora_ga"}

// readAdapterConfig reads and checks an adapter_config.json.
func readAdapterConfig(path string) (*adapterConfig, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening the adapter: %w", err)
	}
	defer f.Close()
	const most = 16 << 20
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	if len(text) > most {
		return nil, fmt.Errorf("%s: over %d bytes, which is no adapter_config.json", path, most)
	}
	c, err := parseAdapterConfig(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

func parseAdapterConfig(text []byte) (*adapterConfig, error) {
	// What PEFT assumes where a key is missing.
	c := adapterConfig{Rank: 8, Alpha: 8}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(text, &keys); err != nil {
		return nil, fmt.Errorf("not the JSON of an adapter: %w", err)
	}
	// Known first: of another type, keys of the same name may hold anything.
	if err := json.Unmarshal(keys["peft_type"], &c.Type); err != nil || c.Type == "" {
		return nil, errors.New("peft_type is missing or no string; is it a PEFT adapter?")
	}
	if c.Type != "LORA" {
		return nil, fmt.Errorf("peft_type %q cannot be merged, only LORA (with or without DoRA) can; merge it with PEFT first", c.Type)
	}
	for _, o := range otherThanBA {
		if isSet(keys[o.key]) {
			return nil, fmt.Errorf("%s: such an adapter %s; merge it with PEFT first if it can", o.key, o.why)
		}
	}
	var start string
	if json.Unmarshal(keys["init_lora_weights"], &start) == nil {
		for _, m := range movesBase {
			if strings.HasPrefix(strings.ToLower(start), m) {
				return nil, fmt.Errorf("init_lora_weights %q: the adapter belongs to a base that its initialisation changed; save it with PEFT's path_initial_model_for_weight_conversion", start)
			}
		}
	}
	if err := json.Unmarshal(text, &c); err != nil {
		return nil, fmt.Errorf("not the JSON of an adapter: %w", err)
	}
	if c.Rank <= 0 {
		return nil, fmt.Errorf("r is %d; it must be at least 1", c.Rank)
	}
	for _, e := range c.Ranks {
		if e.value < 1 || e.value != math.Trunc(e.value) || e.value > math.MaxInt32 {
			return nil, fmt.Errorf("rank_pattern gives %q rank %v; it must be a whole number from 1 on", e.text, e.value)
		}
	}
	return &c, nil
}

// isSet reports whether JSON holds more than a null, false, zero or empty value.
func isSet(raw json.RawMessage) bool {
	return len(raw) > 0 && !slices.Contains([]string{"null", "false", "0", `""`, "[]", "{}"}, string(bytes.Join(bytes.Fields(raw), nil)))
}

// scale returns the rank of a module, and s of s·BA as a float32, as PEFT multiplies.
func (c *adapterConfig) scale(module string) (rank int, s float32) {
	rank, alpha := c.Rank, c.Alpha
	if v, ok := c.Ranks.match(module); ok {
		rank = int(v)
	}
	if v, ok := c.Alphas.match(module); ok {
		alpha = v
	}
	if c.RankStable { // https://arxiv.org/abs/2312.03732
		return rank, float32(alpha / math.Sqrt(float64(rank)))
	}
	return rank, float32(alpha / float64(rank))
}

// pattern gives values to the modules that regular expressions match: the whole
// name, or its end after a dot. The first in the file counts.
type pattern []patternEntry

type patternEntry struct {
	text  string
	match *regexp.Regexp
	value float64
}

// UnmarshalJSON reads the object, whose order matters.
func (p *pattern) UnmarshalJSON(text []byte) error {
	*p = nil
	d := json.NewDecoder(bytes.NewReader(text))
	switch t, err := d.Token(); {
	case err != nil:
		return err
	case t == nil:
		return nil
	case t != json.Delim('{'):
		return fmt.Errorf("a pattern is an object of names and numbers, not %s", text)
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		e := patternEntry{text: key.(string)}
		if err := d.Decode(&e.value); err != nil {
			return fmt.Errorf("pattern %q: %w", e.text, err)
		}
		if e.match, err = regexp.Compile(`^(?:.*\.)?(?:` + e.text + `)$`); err != nil {
			return fmt.Errorf("pattern %q: %w; write the module's name instead", e.text, err)
		}
		*p = append(*p, e)
	}
	return nil
}

func (p pattern) match(module string) (float64, bool) {
	for _, e := range p {
		if e.match.MatchString(module) {
			return e.value, true
		}
	}
	return 0, false
}
