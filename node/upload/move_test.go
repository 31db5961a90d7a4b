package upload

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/upload/uploadtest"
)

// slow starts a server that reads so many bytes a second, of all requests together.
func slow(t *testing.T, s *uploadtest.Server, bytes int) Candidate {
	t.Helper()
	limit := rate.NewLimiter(rate.Limit(bytes), bytes/10)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = &limited{ReadCloser: r.Body, ctx: r.Context(), limit: limit}
		s.ServeHTTP(w, r)
	}))
	// What stands in the kernel would be taken for speed.
	srv.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		_ = c.(*net.TCPConn).SetReadBuffer(16 << 10)
		return ctx
	}
	srv.Start()
	t.Cleanup(srv.Close)
	return Candidate{Name: s.Name, URLs: []string{srv.URL}}
}

type limited struct {
	io.ReadCloser
	ctx   context.Context
	limit *rate.Limiter
}

func (l *limited) Read(p []byte) (int, error) {
	n, err := l.ReadCloser.Read(p[:min(len(p), l.limit.Burst())])
	if waitErr := l.limit.WaitN(l.ctx, n); waitErr != nil {
		return n, waitErr
	}
	return n, err
}

// A server that takes far less than was known of it is left for a faster one while that pays (M9).
func TestMovesToFaster(t *testing.T) {
	t.Parallel()
	path, m := randomFile(t, 24<<20)
	a, b := uploadtest.New("a"), uploadtest.New("b")
	at, other := slow(t, a, 1<<20), serve(t, b, nil)
	rep, err := Run(t.Context(), Options{
		Task: "t", Path: path, Manifest: m, Candidates: candidates(at, other),
		Known: []Measured{{URL: at.URLs[0], Transport: "tcp", Up: 50 << 20, At: time.Now()}},
	})
	if err != nil {
		t.Fatal(err)
	}
	uploaded(t, b, "t", path)
	if rep.Server != "b" || rep.Breaks != 1 || a.Received.Load() > 12<<20 {
		t.Errorf("ended at %s after %d breaks, a got %d bytes", rep.Server, rep.Breaks, a.Received.Load())
	}
	if len(rep.Candidates) != 2 || rep.Candidates[0].Up >= rep.Candidates[1].Up {
		t.Errorf("candidates %+v, want what was found out at last", rep.Candidates)
	}
}

// Close to the end nothing is won by beginning anew elsewhere.
func TestStaysNearTheEnd(t *testing.T) {
	t.Parallel()
	path, m := randomFile(t, 6<<20)
	a, b := uploadtest.New("a"), uploadtest.New("b")
	at, other := slow(t, a, 2<<20), slow(t, b, 2<<20)
	rep, err := Run(t.Context(), Options{
		Task: "t", Path: path, Manifest: m, Candidates: candidates(at, other),
		Known: []Measured{{URL: at.URLs[0], Transport: "tcp", Up: 50 << 20, At: time.Now()}},
	})
	if err != nil {
		t.Fatal(err)
	}
	uploaded(t, a, "t", path)
	if rep.Breaks != 0 || len(b.Tasks()) != 0 {
		t.Errorf("%d breaks, b has %v", rep.Breaks, b.Tasks())
	}
}

// A large upload that is hashed already begins at once at the nearest server, and moves when a race beside it shows
// that another is faster (M9).
func TestRacesBesideTheUpload(t *testing.T) {
	for _, c := range []struct {
		name      string
		near, far int // bytes/s; a busy machine must reach both
		ended     string
	}{
		{"the nearest is slow", 2 << 20, 16 << 20, "far"},
		{"the nearest is the fastest", 16 << 20, 2 << 20, "near"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path, m := randomFile(t, raceAbove+8<<20)
			near, far := uploadtest.New("near"), uploadtest.New("far")
			a, b := slow(t, near, c.near), slow(t, far, c.far)
			a.Locality = shoal.Locality{Carrier: "c"}
			var measured []Measured
			rep, err := Run(t.Context(), Options{
				Task: "t", Path: path, Manifest: m, Candidates: candidates(b, a), Here: shoal.Locality{Carrier: "c"},
				Probed: func(found []Measured) { measured = append(measured, found...) },
			})
			if err != nil {
				t.Fatal(err)
			}
			uploaded(t, map[string]*uploadtest.Server{"near": near, "far": far}[c.ended], "t", path)
			if rep.Server != c.ended || near.Received.Load() == 0 {
				t.Errorf("ended at %s, want %s; the nearest got %d bytes", rep.Server, c.ended, near.Received.Load())
			}
			if len(measured) < 2 || measured[0].Up != 0 || measured[1].Up != 0 {
				t.Errorf("before the first chunk: %+v, want no speeds", measured)
			}
			if moved := c.ended == "far"; moved != (rep.Breaks == 1) {
				t.Errorf("%d breaks", rep.Breaks)
			}
		})
	}
}
