package netprobe

import (
	"context"
	"errors"
	"net"
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
)

// small keeps the transfers of a plan short enough for a test.
func small(plan []Step) []Step {
	for i := range plan {
		plan[i].Bytes = 2 << 20
	}
	return plan
}

func mounted(h http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle(Endpoint, h)
	return mux
}

// M7: both transports and both directions, against the real handler.
func TestProber(t *testing.T) {
	g := newGateway(t, mounted(NewHandler(HandlerConfig{})))
	results := g.prober().Run(t.Context(), small(Plan([]Target{g.plain, g.secure}, Budget{Down: true, Up: true})))
	want := []Path{{g.plain, TCP}, {g.secure, TCP}, {g.secure, QUIC}}
	if len(results) != len(want) {
		t.Fatalf("%d results, want %d", len(results), len(want))
	}
	for i, r := range results {
		t.Run(r.Path.String(), func(t *testing.T) {
			if r.Path != want[i] || r.Err != nil || r.At.IsZero() {
				t.Fatalf("path %v, error %v, at %v", r.Path, r.Err, r.At)
			}
			if r.RTT.Min <= 0 || r.RTT.Min > r.RTT.Median || r.RTT.Median > time.Second {
				t.Errorf("RTT %+v", r.RTT)
			}
			for _, tr := range []Transfer{r.Down, r.Up} {
				if tr.Err != nil || tr.Goodput <= 0 || tr.Bytes != 2<<20 || tr.Time <= 0 {
					t.Errorf("transfer %+v", tr)
				}
				// The kernel tells of TCP on Linux only.
				ratio, known := tr.Loss.Ratio()
				if !known && (r.Transport == QUIC || runtime.GOOS == "linux") || ratio > 0.5 {
					t.Errorf("loss %+v", tr.Loss)
				}
			}
		})
	}
}

// A dead target costs its own results only, and says why.
func TestProberDeadTarget(t *testing.T) {
	g := newGateway(t, mounted(NewHandler(HandlerConfig{})))
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := Target{URL: "http://" + ln.Addr().String()}
	ln.Close()
	misspelt := Target{URL: "https://" + g.plain.URL[len("http://"):]}
	results := g.prober().Run(t.Context(), Plan([]Target{dead, g.plain}, Budget{}))
	if r := results[0]; !errors.Is(r.Err, shoal.ErrUnavailable) || r.RTT != (RTT{}) {
		t.Errorf("dead target: %+v", r)
	}
	if r := results[1]; r.Err != nil {
		t.Errorf("live target: %v", r.Err)
	}
	r := g.prober().Run(t.Context(), []Step{{Path: Path{misspelt, TCP}, Op: Ping, Requests: 1}})[0]
	if want := "probe " + misspelt.URL + " over TCP: connect: unavailable: the gateway has no TLS there; try http://"; r.Err == nil || r.Err.Error() != want {
		t.Errorf("got %v, want %s", r.Err, want)
	}
	r = g.prober().Run(t.Context(), []Step{{Path: Path{g.plain, QUIC}, Op: Ping, Requests: 1}})[0]
	if !errors.Is(r.Err, shoal.ErrInvalid) {
		t.Errorf("QUIC without TLS: %v", r.Err)
	}
	r = NewProber(Config{}).Run(t.Context(), []Step{{Path: Path{g.secure, TCP}, Op: Ping, Requests: 1}})[0]
	if r.Err == nil {
		t.Error("a certificate of nobody was trusted")
	}
}

// Ctrl-C stops a run at once; what was measured stays.
func TestProberStops(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	handler := NewHandler(HandlerConfig{})
	g := newGateway(t, mounted(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("bytes") != "0" {
			cancel(errStopped)
			<-r.Context().Done() // never answers
			return
		}
		handler.ServeHTTP(w, r)
	})))
	plan := Plan([]Target{g.secure}, Budget{Down: true})
	for i := range plan {
		plan[i].Time = time.Hour // not what ends it
	}
	start := time.Now()
	results := g.prober().Run(ctx, plan)
	if took := time.Since(start); took > time.Minute {
		t.Errorf("took %s", took)
	}
	for _, r := range results {
		if r.Err != nil || r.RTT.Min <= 0 || !errors.Is(r.Down.Err, errStopped) {
			t.Errorf("%s: error %v, RTT %v, download %v", r.Path, r.Err, r.RTT, r.Down.Err)
		}
	}
}
