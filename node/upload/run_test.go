package upload

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/ingest/api"
	"github.com/shoal-cdn/shoal/node/upload/uploadtest"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

func TestUploadsFile(t *testing.T) {
	path, _ := randomFile(t, 5<<20)
	s := uploadtest.New("in-1")
	distribute := &api.Distribute{NewTask: tapi.NewTask{Nodes: []string{"all"}, Dest: "a/b"}}
	var hashed *shoal.Manifest
	var last Progress
	rep, err := Run(t.Context(), Options{
		Task: "task1", Path: path, Candidates: candidates(serve(t, s, nil)), Distribute: distribute,
		Hashed:   func(m *shoal.Manifest) error { hashed = m; return nil },
		Progress: func(p Progress) { last = p },
	})
	if err != nil {
		t.Fatal(err)
	}
	uploaded(t, s, "task1", path)
	if rep.Sent != 5<<20 || rep.Resent != 0 || rep.Had != 0 || rep.Server != "in-1" || rep.Content != hashed.ID() || rep.Distribution != "task1" {
		t.Errorf("report %+v", rep)
	}
	if len(rep.Candidates) != 1 || rep.Candidates[0].RTT == 0 {
		t.Errorf("candidates %+v, want the round trip of one", rep.Candidates)
	}
	if last.Done != 5<<20 || last.Note != "uploaded" {
		t.Errorf("last progress %+v", last)
	}
	if _, d, _ := s.Data("task1"); d.Distribute == nil || d.Distribute.Dest != "a/b" {
		t.Errorf("described as %+v", d.Distribute)
	}
}

// A folder's pieces end with its files; empty files have none.
func TestUploadsFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "set")
	for name, size := range map[string]int{"a": 100_000, "b/c": 0, "b/d": 1, "e": 40_000} {
		name = filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, make([]byte, size), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	s := uploadtest.New("in-1")
	if _, err := Run(t.Context(), Options{Task: "t", Path: dir, Candidates: candidates(serve(t, s, nil))}); err != nil {
		t.Fatal(err)
	}
	data, d, complete := s.Data("t")
	if !complete || len(data) != 140_001 || d.Name != "set" {
		t.Errorf("complete %t, %d bytes of %q", complete, len(data), d.Name)
	}
}

// What arrived before is not sent again (R3).
func TestResumes(t *testing.T) {
	path, m := randomFile(t, 4<<20)
	s := uploadtest.New("in-1")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var n atomic.Int32
	s.OnChunks = func(*http.Request) int {
		switch k := n.Add(1); {
		case k == 1, ctx.Err() != nil:
			return 0
		case k == 3: // the first is through
			cancel()
		}
		return http.StatusServiceUnavailable
	}
	o := Options{Task: "t", Path: path, Manifest: m, Candidates: candidates(serve(t, s, nil))}
	if rep, err := Run(ctx, o); err == nil {
		t.Fatalf("not interrupted: %+v", rep)
	}
	rep, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	uploaded(t, s, "t", path)
	if rep.Had == 0 || rep.Had+rep.Sent != 4<<20 {
		t.Errorf("had %d, sent %d of %d", rep.Had, rep.Sent, 4<<20)
	}
}

// Damaged chunks are refused, and sent again (R4).
func TestDamagedOnTheWay(t *testing.T) {
	path, m := randomFile(t, 4<<20)
	s := uploadtest.New("in-1")
	var damaged atomic.Int32
	damage := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPut && damaged.Add(1) <= 3 {
				r.Body = &flipped{ReadCloser: r.Body}
			}
			next.ServeHTTP(w, r)
		})
	}
	rep, err := Run(t.Context(), Options{Task: "t", Path: path, Manifest: m, Candidates: candidates(serve(t, s, damage))})
	if err != nil {
		t.Fatal(err)
	}
	uploaded(t, s, "t", path)
	if rep.Refused != 3 || rep.Resent != 3*int64(m.PieceLength()) {
		t.Errorf("refused %d chunks, sent %d bytes again; want 3 and 3 chunks", rep.Refused, rep.Resent)
	}
}

// flipped is a body whose first byte is damaged.
type flipped struct {
	io.ReadCloser
	past bool
}

func (f *flipped) Read(p []byte) (int, error) {
	n, err := f.ReadCloser.Read(p)
	if n > 0 && !f.past {
		p[0] ^= 1
		f.past = true
	}
	return n, err
}

// A way that damages everything is not used for ever.
func TestAlwaysDamaged(t *testing.T) {
	path, m := randomFile(t, 64<<10)
	damage := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPut {
				r.Body = &flipped{ReadCloser: r.Body}
			}
			next.ServeHTTP(w, r)
		})
	}
	_, err := Run(t.Context(), Options{Task: "t", Path: path, Manifest: m, Candidates: candidates(serve(t, uploadtest.New("in-1"), damage))})
	if !errors.Is(err, shoal.ErrCorrupt) {
		t.Errorf("error %v", err)
	}
}

func TestFileChanges(t *testing.T) {
	for name, change := range map[string]func(path string) error{
		"other bytes, same size and time": func(path string) error {
			info, err := os.Stat(path)
			data, err2 := os.ReadFile(path)
			data[1<<20] ^= 1
			return errors.Join(err, err2, os.WriteFile(path, data, 0o644), os.Chtimes(path, info.ModTime(), info.ModTime()))
		},
		"shorter": func(path string) error { return os.Truncate(path, 1<<20) },
		"gone":    os.Remove,
	} {
		t.Run(name, func(t *testing.T) {
			path, m := randomFile(t, 4<<20)
			if err := change(path); err != nil {
				t.Fatal(err)
			}
			_, err := Run(t.Context(), Options{Task: "t", Path: path, Manifest: m, Candidates: candidates(serve(t, uploadtest.New("in-1"), nil))})
			if !errors.Is(err, shoal.ErrChanged) {
				t.Errorf("error %v, want that the file has changed", err)
			}
		})
	}
}

// A sign-in page that answers every request with success is not believed.
func TestCaptivePortal(t *testing.T) {
	t.Parallel()
	path, m := randomFile(t, 1<<20)
	s := uploadtest.New("in-1")
	var n atomic.Int32
	portal := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet && n.Add(1) <= 5 {
				_, _ = io.Copy(io.Discard, r.Body)
				_, _ = io.WriteString(w, "<html>Welcome")
				return
			}
			next.ServeHTTP(w, r)
		})
	}
	if _, err := Run(t.Context(), Options{Task: "t", Path: path, Manifest: m, Candidates: candidates(serve(t, s, portal)), Timeout: time.Minute}); err != nil {
		t.Fatal(err)
	}
	uploaded(t, s, "t", path)
}

// A disk that is full is said so, and another server is asked before.
func TestServerFull(t *testing.T) {
	path, m := randomFile(t, 2<<20)
	full, other := uploadtest.New("full"), uploadtest.New("other")
	full.Full.Store(true)
	o := Options{Task: "t", Path: path, Manifest: m, Candidates: candidates(serve(t, full, nil))}
	_, err := Run(t.Context(), o)
	if p, ok := errors.AsType[*api.Problem](err); !ok || p.Status != http.StatusInsufficientStorage || !errors.Is(err, shoal.ErrUnavailable) {
		t.Errorf("error %v, want the server's", err)
	}
	alone := o.Candidates
	o.Candidates = func(ctx context.Context) ([]Candidate, error) {
		cs, err := alone(ctx)
		return append(cs, serve(t, other, nil)), err
	}
	if _, err := Run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	uploaded(t, other, "t", path)
	full.Full.Store(false)
	o.Candidates = alone
	if _, err := Run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	uploaded(t, full, "t", path)
}

// A server that breaks every second request is gone through.
func TestBreaks(t *testing.T) {
	path, m := randomFile(t, 4<<20)
	s := uploadtest.New("in-1")
	var n atomic.Int32
	breaks := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPut && n.Add(1)%2 == 0 {
				r.Body = struct {
					io.Reader
					io.Closer
				}{io.LimitReader(r.Body, 150_000), r.Body}
				next.ServeHTTP(drop{}, r)
				panic(http.ErrAbortHandler)
			}
			next.ServeHTTP(w, r)
		})
	}
	rep, err := Run(t.Context(), Options{Task: "t", Path: path, Manifest: m, Candidates: candidates(serve(t, s, breaks)), Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	uploaded(t, s, "t", path)
	t.Logf("%d breaks, %d bytes again", rep.Breaks, rep.Resent)
}

// Of two servers with one store, the other goes on at once (L1).
func TestSharedStore(t *testing.T) {
	t.Parallel()
	path, m := randomFile(t, 4<<20)
	s := uploadtest.New("shared")
	var n atomic.Int32
	dies := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPut {
				n.Add(1)
			}
			if n.Load() > 2 {
				panic(http.ErrAbortHandler)
			}
			next.ServeHTTP(w, r)
		})
	}
	a, b := serve(t, s, dies), serve(t, s, nil)
	a.Name, b.Name = "a", "b"
	a.Locality, b.Locality = shoal.Locality{Carrier: "c"}, shoal.Locality{Carrier: "d"}
	rep, err := Run(t.Context(), Options{
		Task: "t", Path: path, Manifest: m, Candidates: candidates(a, b), Here: shoal.Locality{Carrier: "c"},
		Known: []Measured{
			{URL: a.URLs[0], Transport: "tcp", Up: 4 << 20, At: time.Now()},
			{URL: b.URLs[0], Transport: "tcp", Up: 1 << 20, At: time.Now()},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	uploaded(t, s, "t", path)
	if rep.Server != "b" || rep.Breaks == 0 || rep.Seconds >= minLoyalty.Seconds() {
		t.Errorf("ended at %s after %d breaks and %.1f s; want b, soon", rep.Server, rep.Breaks, rep.Seconds)
	}
}

// drop is a response that goes nowhere.
type drop struct{}

func (drop) Header() http.Header         { return http.Header{} }
func (drop) Write(p []byte) (int, error) { return len(p), nil }
func (drop) WriteHeader(int)             {}

func TestNobodyThere(t *testing.T) {
	path, m := randomFile(t, 1<<20)
	nobody := Candidate{Name: "gone", URLs: []string{"http://127.0.0.1:1"}}
	for name, c := range map[string]struct {
		cs   []Candidate
		kind error
	}{"none": {nil, shoal.ErrNotFound}, "dead": {[]Candidate{nobody}, shoal.ErrUnavailable}} {
		_, err := Run(t.Context(), Options{Task: "t", Path: path, Manifest: m, Candidates: candidates(c.cs...), Timeout: time.Millisecond})
		if !errors.Is(err, c.kind) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
