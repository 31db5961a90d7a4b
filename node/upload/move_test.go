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
	if rep.Server != "b" || rep.Breaks != 1 || rep.Seconds > 10 || a.Received.Load() > 6<<20 {
		t.Errorf("ended at %s after %d breaks and %.1f s, a got %d bytes", rep.Server, rep.Breaks, rep.Seconds, a.Received.Load())
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
