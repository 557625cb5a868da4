// Package hubtest serves a small Hugging Face Hub for tests: the API that lists a
// model's files, the files themselves, and a second host for what git keeps
// elsewhere, to which the first redirects.
package hubtest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Token is the one token that the server knows.
const Token = "hf_known_to_hubtest"

// Signature stands in every address of the storage host, as a secret would.
const Signature = "signature-of-hubtest"

// Server is a Hub. Its switches may be turned between requests, by the goroutine
// that sends them.
type Server struct {
	URL     string // for HF_ENDPOINT
	Storage string // the second host

	NoRanges bool // answer a request for a range with the whole file
	Bare     bool // list names alone, as some mirrors do

	mu     sync.Mutex
	models map[string]*Model
	faults []*Fault
	log    []Request
}

// Request is one request that came, and what it was given.
type Request struct {
	Host          string // "hub" or "storage"
	Method        string
	Path          string // without the query
	File          string // the model's file, if it is one
	Range         string // the header of that name
	Authorization string // the header of that name
	Status        int
	Sent          int64 // bytes of the body
}

// Fault is something that goes wrong, some times over, with a file or with the
// API, whose File is "api".
type Fault struct {
	File   string
	Status int         // answered in place of the file, if not 0
	Header http.Header // of that answer
	Cut    int64       // else the connection breaks after so many bytes
	Hang   bool        // else nothing more comes after Cut bytes until the client goes
	Times  int         // how often; 0 means once
}

// New starts a server that ends with the test.
func New(t testing.TB) *Server {
	t.Helper()
	s := &Server{models: map[string]*Model{}}
	hub := httptest.NewServer(s.logged("hub", s.serveHub))
	t.Cleanup(hub.Close)
	storage := httptest.NewServer(s.logged("storage", s.serveStorage))
	t.Cleanup(storage.Close)
	s.URL, s.Storage = hub.URL, storage.URL
	return s
}

// Fail adds a fault.
func (s *Server) Fail(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.Times = max(1, f.Times)
	s.faults = append(s.faults, &f)
}

// Requests returns what came so far, in the order in which it was finished.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.log)
}

// Forget empties the list of requests and of faults.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log, s.faults = nil, nil
}

// Sent returns how many bytes of bodies were sent so far.
func (s *Server) Sent() (n int64) {
	for _, r := range s.Requests() {
		n += r.Sent
	}
	return n
}

// logged writes every request down and lets faults happen.
func (s *Server) logged(host string, next func(*answer, *http.Request)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := &answer{ResponseWriter: w, left: -1}
		defer func() {
			s.mu.Lock()
			s.log = append(s.log, Request{host, r.Method, r.URL.Path, a.file, r.Header.Get("Range"), r.Header.Get("Authorization"), a.status, a.sent})
			s.mu.Unlock()
		}()
		if s.NoRanges {
			r.Header.Del("Range")
		}
		next(a, r)
		if a.broken {
			if a.hang {
				<-r.Context().Done()
			}
			panic(http.ErrAbortHandler)
		}
	})
}

// fault takes the next fault of a file.
func (s *Server) fault(file string) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.faults {
		if f.File == file && f.Times > 0 {
			f.Times--
			return f
		}
	}
	return nil
}

// answer counts, and stops where a fault says.
type answer struct {
	http.ResponseWriter
	file   string
	status int
	sent   int64
	left   int64 // bytes until the connection breaks, if not negative
	hang   bool
	broken bool
}

// meet lets a fault happen; it reports whether that was the whole answer.
func (a *answer) meet(f *Fault) bool {
	switch {
	case f == nil:
		return false
	case f.Status != 0:
		for name, values := range f.Header {
			a.Header()[name] = values
		}
		http.Error(a, "a fault", f.Status)
		return true
	}
	a.left, a.hang = f.Cut, f.Hang
	return false
}

func (a *answer) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	if a.left >= 0 && int64(len(p)) >= a.left {
		p, a.broken = p[:a.left], true
	}
	n, err := a.ResponseWriter.Write(p)
	a.sent += int64(n)
	if a.left >= 0 {
		a.left -= int64(n)
	}
	if a.broken {
		if err := http.NewResponseController(a.ResponseWriter).Flush(); err != nil {
			return n, err
		}
		return n, fmt.Errorf("cut")
	}
	return n, err
}

func bearer(r *http.Request) string {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return token
}
