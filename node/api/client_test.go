package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/shoal-cdn/shoal"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

func TestNewClientRefusesURLs(t *testing.T) {
	for _, u := range []string{"", "localhost:7072", "ftp://x", "http://", "http://%zz"} {
		if _, err := NewClient(u); !errors.Is(err, shoal.ErrInvalid) {
			t.Errorf("NewClient(%q): %v, want ErrInvalid", u, err)
		}
	}
}

// newTestClient serves h and returns a client for it, below a path as behind a
// reverse proxy.
func newTestClient(t *testing.T, h http.HandlerFunc) *Client {
	t.Helper()
	srv := httptest.NewServer(http.StripPrefix("/edge-1", h))
	t.Cleanup(srv.Close)
	c, err := NewClient(srv.URL + "/edge-1/")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCalls(t *testing.T) {
	id := shoal.ContentID{1, 2, 3}
	var got string
	c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
		var body json.RawMessage
		_ = json.NewDecoder(r.Body).Decode(&body) // empty for most
		got = strings.TrimSpace(fmt.Sprintf("%s %s %s", r.Method, r.URL.Path, body))
		switch {
		case r.Method == http.MethodDelete:
			w.WriteHeader(http.StatusNoContent)
		case r.URL.Path == "/v1/contents" && r.Method == http.MethodGet:
			fmt.Fprint(w, `[{"pieces_held":7}]`)
		default:
			fmt.Fprint(w, `{"pieces_held":7,"uptime":7}`)
		}
	})
	ctx := t.Context()
	tests := []struct {
		name string
		call func() (int, error) // the number read from the answer
		want string
	}{
		{"status", func() (int, error) { s, err := c.Status(ctx); return int(s.Uptime), err }, "GET /v1/status"},
		{"contents", func() (int, error) { cs, err := c.Contents(ctx); return cs[0].PiecesHeld, err }, "GET /v1/contents"},
		{"content", func() (int, error) { ct, err := c.Content(ctx, id); return ct.PiecesHeld, err }, "GET /v1/contents/" + id.String()},
		{"fetch", func() (int, error) {
			ct, err := c.Fetch(ctx, Fetch{Content: id, Dest: "a/b"})
			return ct.PiecesHeld, err
		}, `POST /v1/contents {"content":"` + id.String() + `","dest":"a/b"}`},
		{"delete", func() (int, error) { return 7, c.Delete(ctx, id) }, "DELETE /v1/contents/" + id.String()},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n, err := tt.call()
			if err != nil || n != 7 || got != tt.want {
				t.Errorf("sent %q, read %d, %v; want %q, 7", got, n, err, tt.want)
			}
		})
	}
}

// Error kinds survive HTTP (tracker/api, "Errors").
func TestErrors(t *testing.T) {
	for _, want := range []error{shoal.ErrInvalid, shoal.ErrNotFound, shoal.ErrConflict, shoal.ErrUnavailable, shoal.ErrChanged} {
		c := newTestClient(t, func(w http.ResponseWriter, _ *http.Request) {
			tapi.ProblemOf(fmt.Errorf("piece 7 of movie: %w", want)).Write(w)
		})
		_, err := c.Status(t.Context())
		if !errors.Is(err, want) || !strings.Contains(err.Error(), "piece 7 of movie") {
			t.Errorf("error %v, want kind %v and the node's words", err, want)
		}
	}
	c := newTestClient(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"uptime":`) })
	if _, err := c.Status(t.Context()); !errors.Is(err, shoal.ErrUnavailable) {
		t.Errorf("cut answer: %v, want ErrUnavailable", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Status(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestSeed(t *testing.T) {
	done := `{"hashed":2,"total":2,"done":{"name":"x","pieces":3}}`
	tests := []struct {
		name   string
		answer string
		kind   error // nil: succeeds
		says   string
		moved  string
	}{
		{"progress, then done", `{"hashed":0,"total":2}` + "\n" + `{"hashed":1,"total":2}` + "\n" + done + "\n", nil, "", "0/2 1/2 "},
		{"done without a last newline", done, nil, "", ""},
		{"fails on the way", `{"hashed":1,"total":2}` + "\n" + `{"error":"read x: input/output error"}` + "\n", nil, "input/output error", "1/2 "},
		{"fails, of a kind", `{"error":"download: the server answers 404 Not Found","kind":"not_found"}`, shoal.ErrNotFound, "answers 404", ""},
		{"cut off", `{"hashed":1,"total":2}` + "\n", shoal.ErrUnavailable, "closed the connection", "1/2 "},
		{"no JSON", "<html>\n", shoal.ErrUnavailable, "read the answer", ""},
		{"endless line", strings.Repeat("x", 2*maxEventLine), shoal.ErrUnavailable, "token too long", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
				var s Seed
				if err := json.NewDecoder(r.Body).Decode(&s); err != nil || s.Path != "/data/x" {
					t.Errorf("asked for %+v, %v", s, err)
				}
				fmt.Fprint(w, tt.answer)
			})
			var moved strings.Builder
			s, err := c.Seed(t.Context(), "/data/x", func(hashed, total int64) { fmt.Fprintf(&moved, "%d/%d ", hashed, total) })
			switch {
			case tt.says == "" && (err != nil || s.Name != "x" || s.Pieces != 3):
				t.Errorf("seeded %+v, %v", s, err)
			case tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says)):
				t.Errorf("error %v, want %q in it", err, tt.says)
			case tt.kind != nil && !errors.Is(err, tt.kind):
				t.Errorf("error %v, want kind %v", err, tt.kind)
			}
			if moved.String() != tt.moved {
				t.Errorf("progress %q, want %q", moved.String(), tt.moved)
			}
		})
	}
}

// What a Seed of a URL says, and is told.
func TestSeedFrom(t *testing.T) {
	want := Seed{URL: "https://h/x", Name: "y", WebSeeds: []string{"http://m/x"}}
	c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
		var s Seed
		if err := json.NewDecoder(r.Body).Decode(&s); err != nil || !reflect.DeepEqual(s, want) {
			t.Errorf("asked for %+v, %v", s, err)
		}
		fmt.Fprintln(w, `{"hashed":1,"total":0,"note":"trying again"}`)
		fmt.Fprintln(w, `{"hashed":2,"total":2,"done":{"name":"y","warning":"slow"}}`)
	})
	var events []SeedEvent
	s, err := c.SeedFrom(t.Context(), want, func(ev SeedEvent) { events = append(events, ev) })
	if err != nil || s.Name != "y" || s.Warning != "slow" || len(events) != 1 || events[0] != (SeedEvent{Hashed: 1, Note: "trying again"}) {
		t.Errorf("seeded %+v, %v, events %+v", s, err, events)
	}
}

// Cutting the connection is how a client cancels the hashing.
func TestSeedCancel(t *testing.T) {
	gone := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, `{"hashed":1,"total":2}`)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		close(gone)
	})
	_, err := c.Seed(ctx, "/data/x", func(int64, int64) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want it cancelled", err)
	}
	<-gone
}
