package hub

import (
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// Client finds and fetches models. [FromEnvironment] makes the usual one; the zero
// value needs a Cache. Fields may be set before the first call. Its methods may be
// called by several goroutines at once.
type Client struct {
	Cache    string // folder with one models--org--name folder a model, as huggingface_hub lays it out
	Endpoint string // https://huggingface.co if empty
	Offline  bool   // take models from the cache alone

	// Stall is how long a connection may go without a byte before it is tried
	// again; 0 means 30 seconds.
	Stall time.Duration

	token     string
	tokenFrom string // variable or file, for messages
	offlineBy string // why Offline is set; empty means the caller did

	once  bool          // no second try
	pause time.Duration // first wait before a retry; 0 means a second
	free  func(dir string) (uint64, bool)
}

// SetToken sets the token that is sent to the endpoint, and to no other host.
func (c *Client) SetToken(token string) { c.token, c.tokenFrom = cleanToken(token), "the given token" }

// endpoint returns the checked address of the Hub, without a slash at its end.
func (c *Client) endpoint() (*url.URL, error) {
	s := c.Endpoint
	if s == "" {
		s = defaultEndpoint
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("HF_ENDPOINT must be an address such as %s", defaultEndpoint)
	}
	return u, nil
}

func (c *Client) stall() time.Duration {
	if c.Stall > 0 {
		return c.Stall
	}
	return 30 * time.Second
}

// transport is shared, so that connections are kept between files. Bodies come as
// they are stored: a compressed one has no ranges and another length.
var transport = func() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DisableCompression = true
	return t
}()
