package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
)

// server answers every request with a status and a body.
func server(t *testing.T, status int, ctype, body string) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", ctype)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(s.Close)
	return s
}

func TestFailover(t *testing.T) {
	gone := server(t, 200, "", "")
	gone.Close()
	broken := server(t, 502, "text/html", "<p>bad gateway")
	good := server(t, 200, "application/json", `[{"name":"n"}]`)
	refusing := server(t, 404, ProblemType, `{"kind":"not_found","detail":"nothing here"}`)

	c, err := NewClient([]string{gone.URL, broken.URL, good.URL + "/"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Last() != "" {
		t.Errorf("last before any answer: %s", c.Last())
	}
	if l, err := c.Nodes(t.Context()); err != nil || len(l) != 1 || c.Last() != good.URL {
		t.Fatalf("%v, %v, last %s", l, err, c.Last())
	}
	// A refusal is an answer: no other tracker is asked.
	c, _ = NewClient([]string{refusing.URL, good.URL}, nil)
	if _, err := c.Nodes(t.Context()); !errors.Is(err, shoal.ErrNotFound) || err.Error() != "list nodes: nothing here" || c.Last() != refusing.URL {
		t.Errorf("refusal: %v", err)
	}
	c, _ = NewClient([]string{gone.URL, broken.URL}, nil)
	_, err = c.Nodes(t.Context())
	if !errors.Is(err, shoal.ErrUnavailable) || !strings.Contains(err.Error(), gone.URL) || !strings.Contains(err.Error(), "502") || c.Last() != "" {
		t.Errorf("none left: %v", err)
	}
}

// What a tracker said, however bad, differs from that there was none.
func TestAnswered(t *testing.T) {
	failing := server(t, 500, ProblemType, `{"kind":"internal","detail":"internal error"}`).URL
	proxy := server(t, 502, "text/html", "<p>bad gateway").URL
	refusing := server(t, 404, ProblemType, `{"kind":"not_found","detail":"nothing here"}`).URL
	garbled := server(t, 200, "application/json", `{`).URL
	closed := httptest.NewServer(nil)
	closed.Close()
	cut := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }))
	defer cut.Close()
	for _, tt := range []struct {
		name string
		urls []string
		kind error
		want bool
	}{
		{"none there", []string{closed.URL}, shoal.ErrUnavailable, false},
		{"hung up", []string{cut.URL, closed.URL}, shoal.ErrUnavailable, false},
		{"a tracker's own trouble", []string{failing}, shoal.ErrUnavailable, true},
		{"a proxy's", []string{proxy}, shoal.ErrUnavailable, true},
		{"one of two", []string{closed.URL, failing}, shoal.ErrUnavailable, true},
		{"a refusal", []string{closed.URL, refusing}, shoal.ErrNotFound, true},
		{"garbled", []string{garbled}, shoal.ErrCorrupt, true},
	} {
		c, err := NewClient(tt.urls, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Lease(t.Context(), LeaseRequest{})
		if !errors.Is(err, tt.kind) || Answered(err) != tt.want {
			t.Errorf("%s: %v, answered %v, want %v", tt.name, err, Answered(err), tt.want)
		}
	}
	c, _ := NewClient([]string{failing}, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Lease(ctx, LeaseRequest{}); err == nil || Answered(err) {
		t.Errorf("cancelled: %v", err)
	}
	if Answered(nil) {
		t.Error("no error is an answer")
	}
}

func TestClientRemembersWhoAnswered(t *testing.T) {
	asked := ""
	named := func(name string, status *int) *httptest.Server {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			asked += name
			w.WriteHeader(*status)
			_, _ = io.WriteString(w, "[]")
		}))
		t.Cleanup(s.Close)
		return s
	}
	a, b := 503, 200
	c, _ := NewClient([]string{named("a", &a).URL, named("b", &b).URL}, nil)
	for range 2 {
		if _, err := c.Nodes(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	a, b = 200, 503
	if _, err := c.Nodes(t.Context()); err != nil || asked != "abbba" {
		t.Errorf("asked %s, want abbba; %v", asked, err)
	}
}

func TestClientErrors(t *testing.T) {
	call := func(s *httptest.Server) error {
		c, _ := NewClient([]string{s.URL}, nil)
		_, err := c.Nodes(t.Context())
		return err
	}
	for _, k := range kinds {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			ProblemOf(fmt.Errorf("thing %q: %w: why", "x", k.err)).Write(w)
		}))
		if err := call(s); !errors.Is(err, k.err) || !strings.Contains(err.Error(), `thing "x": `+k.err.Error()+`: why`) {
			t.Errorf("%s: %v", k.name, err)
		}
		s.Close()
	}
	if err := call(server(t, 200, "application/json", "<html>")); !errors.Is(err, shoal.ErrCorrupt) {
		t.Errorf("no JSON: %v", err)
	}
	if err := call(server(t, 413, "text/plain", "x")); !errors.Is(err, shoal.ErrInvalid) {
		t.Errorf("status only: %v", err)
	}
	if err := call(server(t, 409, "text/plain", "x")); !errors.Is(err, shoal.ErrConflict) {
		t.Errorf("status only: %v", err)
	}
	secret := ProblemOf(errors.New("password is 1234"))
	if secret.Status != 500 || strings.Contains(secret.Detail, "1234") {
		t.Errorf("an internal error gets out: %+v", secret)
	}
	if err := call(server(t, 500, ProblemType, `{"kind":"internal","detail":"x"}`)); !errors.Is(err, shoal.ErrUnavailable) {
		t.Errorf("internal error: %v", err)
	}
}

func TestClientBoundsAnswers(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 1<<20)); err != nil {
				return
			}
		}
	}))
	defer s.Close()
	c, _ := NewClient([]string{s.URL}, nil)
	if _, err := c.Torrent(t.Context(), shoal.ContentID{}); !errors.Is(err, shoal.ErrCorrupt) {
		t.Errorf("endless answer: %v", err)
	}
}

func TestClientStopsWithContext(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	defer s.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	c, _ := NewClient([]string{s.URL, s.URL}, nil)
	if _, err := c.Announce(ctx, Announce{Wait: 20}); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, shoal.ErrUnavailable) {
		t.Errorf("%v", err)
	}
}

func TestNewClient(t *testing.T) {
	for _, urls := range [][]string{nil, {"localhost:7000"}, {"ftp://x"}, {"http://"}, {"http://x/?a=b"}} {
		if _, err := NewClient(urls, nil); !errors.Is(err, shoal.ErrInvalid) {
			t.Errorf("%q: %v", urls, err)
		}
	}
}
