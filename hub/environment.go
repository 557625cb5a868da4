package hub

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// defaultEndpoint is the Hub itself.
const defaultEndpoint = "https://huggingface.co"

// FromEnvironment returns a client that follows the variables huggingface_hub
// follows: HF_HUB_CACHE, HF_HOME, XDG_CACHE_HOME, HF_TOKEN, HF_TOKEN_PATH,
// HF_HUB_DISABLE_IMPLICIT_TOKEN, HF_ENDPOINT, HF_HUB_OFFLINE, TRANSFORMERS_OFFLINE.
func FromEnvironment() *Client {
	c := &Client{
		Cache:    cacheFolder(),
		Endpoint: strings.TrimRight(strings.TrimSpace(os.Getenv("HF_ENDPOINT")), "/"),
	}
	c.token, c.tokenFrom = findToken()
	for _, name := range []string{"HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"} {
		if isTrue(os.Getenv(name)) {
			c.Offline, c.offlineBy = true, name+" is set"
			break
		}
	}
	return c
}

func cacheFolder() string {
	for _, name := range []string{"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"} {
		if v := os.Getenv(name); v != "" {
			return expand(v)
		}
	}
	return filepath.Join(home(), "hub")
}

// home is where Hugging Face's programs keep their things.
func home() string {
	if v := os.Getenv("HF_HOME"); v != "" {
		return expand(v)
	}
	if v := os.Getenv("XDG_CACHE_HOME"); v != "" {
		return filepath.Join(expand(v), "huggingface")
	}
	return expand(filepath.Join("~", ".cache", "huggingface"))
}

// expand replaces a leading ~ as Python's expanduser does, and variables.
func expand(path string) string {
	path = os.ExpandEnv(path)
	if rest, ok := strings.CutPrefix(path, "~"); ok && (rest == "" || os.IsPathSeparator(rest[0])) {
		if dir, err := os.UserHomeDir(); err == nil {
			return filepath.Join(dir, rest)
		}
	}
	return path
}

// findToken returns the token and where it was found, for messages. The variables
// win over the file, as they do elsewhere.
func findToken() (token, from string) {
	for _, name := range []string{"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"} {
		if v := cleanToken(os.Getenv(name)); v != "" {
			return v, name
		}
	}
	if isTrue(os.Getenv("HF_HUB_DISABLE_IMPLICIT_TOKEN")) {
		return "", ""
	}
	path := filepath.Join(home(), "token")
	if v := os.Getenv("HF_TOKEN_PATH"); v != "" {
		path = expand(v)
	}
	// No token is no fault: most models need none, and a refusal says what to do.
	b, err := os.ReadFile(path)
	if err != nil || len(b) > 4096 {
		return "", ""
	}
	if v := cleanToken(string(b)); v != "" {
		return v, path
	}
	return "", ""
}

// cleanToken drops the line ends that pasting leaves.
func cleanToken(s string) string {
	return strings.TrimSpace(strings.NewReplacer("\r", "", "\n", "").Replace(s))
}

func isTrue(s string) bool {
	return slices.Contains([]string{"1", "ON", "YES", "TRUE"}, strings.ToUpper(strings.TrimSpace(s)))
}
