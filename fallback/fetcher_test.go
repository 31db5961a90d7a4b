package fallback

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"

	"github.com/shoal-cdn/shoal"
)

// One good upstream: every byte is sent once, in few requests, on few connections.
func TestFetchOnce(t *testing.T) {
	c := oneFile(t, 20<<20+12345)
	synctest.Test(t, func(t *testing.T) {
		network, p := newMemnet(), newPieces(c.m)
		o := &origin{c: c, pause: 2 * time.Millisecond}
		defer network.serve("good.test:80", o)()
		f := newFetcher(t, network, c, p, goodURL)
		if err := f.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		p.check(t, true)
		synctest.Wait() // for the server to count
		s := f.Stats()
		if sent := o.sent.Load(); sent != c.m.Size() || s.Delivered != sent || s.Upstreams[0].Bytes != sent || s.Wasted != 0 {
			t.Errorf("sent %d bytes of %d: %+v", sent, c.m.Size(), s)
		}
		if n := o.requests.Load(); n > 21 {
			t.Errorf("%d requests", n)
		}
		if network.dials > 8 {
			t.Errorf("%d connections", network.dials)
		}
	})
}

// A folder with empty files and names to escape, from a web seed (BEP 19) and a
// node's gateway.
func TestFetchFolder(t *testing.T) {
	c := newContent(t, map[string]int{"a/empty": 0, "a/ü ?.bin": 3 << 20, "b": 1, "c": 100 << 10}, pieceLength)
	files := http.NewServeMux()
	handler := func(w http.ResponseWriter, r *http.Request) {
		data, ok := c.bytes[r.PathValue("path")]
		if !ok {
			t.Errorf("asked for %s", r.URL)
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	}
	files.HandleFunc("GET /seed/content/{path...}", handler)
	files.HandleFunc("GET /gw/v1/contents/"+c.m.ID().String()+"/files/{path...}", handler)
	for _, u := range []Upstream{
		{Name: "seed", Kind: WebSeed, URL: "http://h.test/seed/"}, {Name: "node", Kind: Node, URL: "http://h.test/gw"},
	} {
		synctest.Test(t, func(t *testing.T) {
			network, p := newMemnet(), newPieces(c.m)
			defer network.serve("h.test:80", files)()
			f := newFetcher(t, network, c, p)
			if err := f.add(u); err != nil {
				t.Fatal(err)
			}
			if err := f.Run(t.Context()); err != nil {
				t.Fatalf("%s: %v", u.Name, err)
			}
			p.check(t, true)
		})
	}
}

// Transfers that break go on at the first missing byte, within a piece too, at
// whichever upstream is next: no byte is sent twice.
func TestResume(t *testing.T) {
	c := oneFile(t, 4<<20)
	data := c.bytes["file.bin"]
	synctest.Test(t, func(t *testing.T) {
		network, p := newMemnet(), newPieces(c.m)
		sent := make([]byte, len(data)) // how often each byte
		dying := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			from, to := answer(w, r, len(data))
			w.Header().Set("Content-Length", fmt.Sprint(to-from))
			w.WriteHeader(206)
			to = min(to, from+100_000) // a piece and a half
			_, _ = w.Write(data[from:to])
			for i := from; i < to; i++ {
				sent[i]++
			}
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		})
		for _, host := range []string{"a.test:80", "b.test:80"} {
			defer network.serve(host, dying)()
		}
		f := newFetcher(t, network, c, p, "http://a.test/f", "http://b.test/f")
		f.cfg.Limits.Backoff = time.Millisecond
		if err := f.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		p.check(t, true)
		synctest.Wait() // for the servers to count
		for i, n := range sent {
			if n != 1 {
				t.Fatalf("byte %d was sent %d times", i, n)
			}
		}
	})
}

// A piece with bytes of two upstreams that does not verify says nothing about either:
// it comes anew from one, and then it is known whose fault it was.
func TestMixedPiece(t *testing.T) {
	c := oneFile(t, 256<<10) // one range
	data := c.bytes["file.bin"]
	synctest.Test(t, func(t *testing.T) {
		network, p := newMemnet(), newPieces(c.m)
		good := &origin{c: c}
		defer network.serve("good.test:80", good)()
		defer network.serve("bad.test:80", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			from, to := answer(w, r, len(data))
			w.Header().Set("Content-Length", fmt.Sprint(to-from))
			w.WriteHeader(206)
			_, _ = w.Write(make([]byte, 1000)) // wrong
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}))()
		f := newFetcher(t, network, c, p, badURL, goodURL)
		if err := f.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		p.check(t, true)
		bad, other := f.Stats().Upstreams[0], f.Stats().Upstreams[1]
		if bad.State != Benched || !strings.Contains(bad.Reason, "part of a piece that did not verify") || other.State != Active {
			t.Errorf("%+v, %+v", bad, other)
		}
	})
}

// A file that changes between two ranges: named, and the parts are not mixed.
func TestChangedFile(t *testing.T) {
	c := oneFile(t, 4*firstRange)
	data := c.bytes["file.bin"]
	synctest.Test(t, func(t *testing.T) {
		network, p := newMemnet(), newPieces(c.m)
		requests := 0
		defer network.serve("bad.test:80", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			requests++
			w.Header().Set("ETag", fmt.Sprintf(`"v%d"`, min(requests, 2)/2))
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
		}))()
		f := newFetcher(t, network, c, p, badURL)
		var log strings.Builder
		f.log = slog.New(slog.NewTextHandler(&log, nil))
		if err := f.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		p.check(t, true)
		if !strings.Contains(log.String(), "another ETag") {
			t.Errorf("log: %s", log.String())
		}
		if u := f.Stats().Upstreams[0]; u.State != Active || u.Reason != "" || !u.Since.IsZero() {
			t.Errorf("recovered: %+v", u)
		}
	})
}

// The last range hangs at a slow upstream: the fast one takes over its pieces
// and races it for the one that is arriving; nothing else is fetched twice.
func TestHedge(t *testing.T) {
	c := oneFile(t, 8<<20)
	synctest.Test(t, func(t *testing.T) {
		network, p := newMemnet(), newPieces(c.m)
		slow, fast := &origin{c: c, pause: time.Second}, &origin{c: c, pause: 5 * time.Millisecond}
		defer network.serve("slow.test:80", slow)()
		defer network.serve("fast.test:80", fast)()
		f := newFetcher(t, network, c, p, "http://slow.test/f", "http://fast.test/f")
		began := time.Now()
		if err := f.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		p.check(t, true)
		if took := time.Since(began); took > 8*time.Second { // the slow one's range alone takes 64 s
			t.Errorf("took %s", took)
		}
		s := f.Stats()
		if s.Wasted == 0 || s.Wasted > 2*pieceLength {
			t.Errorf("wasted %d bytes, want what the loser of one race got", s.Wasted)
		}
		if sum := s.Upstreams[0].Bytes + s.Upstreams[1].Bytes; sum != c.m.Size()+s.Wasted {
			t.Errorf("received %d bytes for %d, %d of them wasted", sum, c.m.Size(), s.Wasted)
		}
	})
}

// Connections grow while each adds something, and stop where they don't.
func TestConnectionsGrow(t *testing.T) {
	c := newContent(t, map[string]int{"file.bin": 48 << 20}, 1<<20)
	for _, tt := range []struct {
		name  string
		each  time.Duration // a connection's pause
		cap   shoal.Rate    // of all together
		dials [2]int
	}{
		{"each adds a share", 50 * time.Millisecond, 0, [2]int{6, 12}},
		{"two fill the cap", 50 * time.Millisecond, 600 << 10, [2]int{2, 7}}, // one more is tried now and then,
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network, p := newMemnet(), newPieces(c.m)
				defer network.serve("good.test:80", &origin{c: c, pause: tt.each})()
				f := newFetcher(t, network, c, p, goodURL)
				if tt.cap > 0 {
					f.cfg.Limiter = rate.NewLimiter(rate.Limit(tt.cap), chunk)
				}
				began := time.Now()
				if err := f.Run(t.Context()); err != nil {
					t.Fatal(err)
				}
				if n := network.dials; n < tt.dials[0] || n > tt.dials[1] {
					t.Errorf("%d connections, want %d to %d", n, tt.dials[0], tt.dials[1])
				}
				if took := time.Since(began).Seconds(); tt.cap > 0 && took < 0.98*float64(c.m.Size()-chunk)/float64(tt.cap) {
					t.Errorf("faster than the cap: %g s", took)
				}
			})
		})
	}
}

// A shared limit holds over all upstreams, and being slow by it is no fault of
// theirs.
func TestSharedLimit(t *testing.T) {
	c := oneFile(t, 512<<10)
	synctest.Test(t, func(t *testing.T) {
		network, p := newMemnet(), newPieces(c.m)
		defer network.serve("good.test:80", &origin{c: c})()
		f := newFetcher(t, network, c, p, goodURL)
		f.cfg.Limiter = rate.NewLimiter(2<<10, 1<<10) // below the floor, and slower than patience
		began := time.Now()
		if err := f.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took < 250*time.Second {
			t.Errorf("took %s", took)
		}
		p.check(t, true)
	})
}

// A later bound holds once the ranges under way are done; a wider one too.
func TestSetConnections(t *testing.T) {
	c := newContent(t, map[string]int{"file.bin": 96 << 20}, 1<<20)
	synctest.Test(t, func(t *testing.T) {
		network, p := newMemnet(), newPieces(c.m)
		o := &origin{c: c, pause: 50 * time.Millisecond}
		defer network.serve("good.test:80", o)()
		f := newFetcher(t, network, c, p, goodURL)
		done := make(chan error)
		go func() { done <- f.Run(t.Context()) }()
		busy := func(after time.Duration) int {
			time.Sleep(after)
			return f.Stats().Upstreams[0].Connections
		}
		if n := busy(6 * time.Second); n < 3 {
			t.Errorf("%d connections without a bound", n)
		}
		f.SetConnections("nobody", 5)
		f.SetConnections("good.test", 1)
		if n := busy(12 * time.Second); n != 1 {
			t.Errorf("%d connections, want 1", n)
		}
		f.SetConnections("good.test", 0)
		if n := busy(2 * time.Second); n < 3 {
			t.Errorf("%d connections, unbounded again", n)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		p.check(t, true)
		synctest.Wait() // for the server to count
		if sent := o.sent.Load(); sent != c.m.Size() {
			t.Errorf("sent %d bytes of %d", sent, c.m.Size())
		}
	})
}

func TestNewChecks(t *testing.T) {
	c := oneFile(t, 1)
	u := Upstream{Name: "a", URL: "http://a.test/", Kind: WebSeed}
	for name, cfg := range map[string]Config{
		"no manifest":     {Pieces: newPieces(c.m)},
		"no pieces":       {Manifest: c.m},
		"two of one name": {Manifest: c.m, Pieces: newPieces(c.m), Upstreams: []Upstream{u, u}},
	} {
		if _, err := New(cfg); !errors.Is(err, shoal.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Run ends soon with its context, and everything is given back.
func TestCancel(t *testing.T) {
	c := oneFile(t, 8<<20)
	synctest.Test(t, func(t *testing.T) {
		network, p := newMemnet(), newPieces(c.m)
		defer network.serve("good.test:80", &origin{c: c, pause: time.Second})()
		f := newFetcher(t, network, c, p, goodURL)
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		began := time.Now()
		if err := f.Run(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 1500*time.Millisecond {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		p.check(t, false)
		if f.busy != 0 || f.Stats().Upstreams[0].Connections != 0 {
			t.Error("something is still under way")
		}
	})
}

// An error of storage is nobody's fault, and final.
func TestDeliverFails(t *testing.T) {
	c := oneFile(t, 2<<20)
	synctest.Test(t, func(t *testing.T) {
		network, p := newMemnet(), newPieces(c.m)
		p.fail = errors.New("disk full")
		defer network.serve("good.test:80", &origin{c: c})()
		f := newFetcher(t, network, c, p, goodURL)
		if err := f.Run(t.Context()); !errors.Is(err, p.fail) {
			t.Errorf("error: %v", err)
		}
		p.check(t, false)
		if u := f.Stats().Upstreams[0]; u.State != Active || u.Reason != "" {
			t.Errorf("%+v", u)
		}
	})
}

// Nothing to do, and nobody to do it.
func TestNothingToDo(t *testing.T) {
	c := oneFile(t, 1<<20)
	synctest.Test(t, func(t *testing.T) {
		p := newPieces(c.m)
		if err := newFetcher(t, newMemnet(), c, p).Run(t.Context()); !errors.Is(err, shoal.ErrUnavailable) {
			t.Errorf("no upstreams: %v", err)
		}
		_, _, _ = p.Claim(t.Context(), 1<<30) // by somebody else
		if err := newFetcher(t, newMemnet(), c, p).Run(t.Context()); err != nil {
			t.Errorf("nothing to claim: %v", err)
		}
		f := newFetcher(t, newMemnet(), c, p, "http://down.test/f")
		if err := f.Run(t.Context()); err != nil {
			t.Errorf("nothing to claim: %v", err)
		}
	})
	if _, err := New(Config{}); !errors.Is(err, shoal.ErrInvalid) {
		t.Errorf("no manifest: %v", err)
	}
}

// Claims are given back while every upstream cools down, so that the swarm can
// get the pieces.
func TestClaimsAreNotHeld(t *testing.T) {
	c := oneFile(t, 1<<20)
	synctest.Test(t, func(t *testing.T) {
		network, p := newMemnet(), newPieces(c.m)
		defer network.serve("bad.test:80", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "20")
			w.WriteHeader(http.StatusServiceUnavailable)
		}))()
		f := newFetcher(t, network, c, p, badURL)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- f.Run(ctx) }()
		time.Sleep(holdClaims + time.Second)
		p.mu.Lock()
		if len(p.claimed) > 0 {
			t.Errorf("%d pieces are still claimed", len(p.claimed))
		}
		p.mu.Unlock()
		u := f.Stats().Upstreams[0]
		if u.State != Cooling || u.Until.Sub(u.Since) != 20*time.Second || !strings.Contains(u.Reason, "503") {
			t.Errorf("%+v", u)
		}
		cancel()
		<-done
	})
}
