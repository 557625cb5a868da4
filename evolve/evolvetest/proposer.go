package evolvetest

import (
	"context"
	"fmt"
	"hash/fnv"
	"regexp"
	"strconv"
	"strings"
)

var listOf = regexp.MustCompile(`list of (\d+) whole numbers from 0 to (\d+)`)

// Propose is an evolve.Proposer whose answers follow from the prompt alone; every
// seventh or so is no answer.
func Propose(_ context.Context, prompt string) (string, int, error) {
	m := listOf.FindStringSubmatch(prompt)
	if m == nil {
		return "", 0, fmt.Errorf("no list is asked for in %q", prompt)
	}
	n, _ := strconv.Atoi(m[1])
	top, _ := strconv.Atoi(m[2])
	h := fnv.New64a()
	_, _ = h.Write([]byte(prompt))
	if h.Sum64()%7 == 0 {
		return "I cannot say.", 10, nil
	}
	words := make([]string, n)
	for i := range words {
		_, _ = h.Write([]byte{byte(i)})
		words[i] = strconv.FormatUint(h.Sum64()%uint64(top+1), 10)
	}
	return "Thinking of [1, 2]… the answer: [" + strings.Join(words, ", ") + "]", 10, nil
}
