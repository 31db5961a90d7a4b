package node_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/fallback"
	"github.com/shoal-cdn/shoal/node"
	"github.com/shoal-cdn/shoal/tracker"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// lateManifests is a tracker that tells a content's manifest only when it has granted a lease, or after a
// while.
type lateManifests struct {
	http.Handler
	wait  time.Duration
	after chan bool // for each manifest: a lease was granted before
}

func (l *lateManifests) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/torrent") {
		granted := l.granted()
		for end := time.Now().Add(l.wait); !granted && time.Now().Before(end); granted = l.granted() {
			select {
			case <-time.After(10 * time.Millisecond):
			case <-r.Context().Done():
				return
			}
		}
		l.after <- granted
	}
	l.Handler.ServeHTTP(w, r)
}

// granted reports whether a lease was, by the tracker's metrics.
func (l *lateManifests) granted() bool {
	w := httptest.NewRecorder()
	l.Handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	text, _ := io.ReadAll(w.Body) // of memory
	return strings.Contains(string(text), "\nshoal_tracker_leases_granted_total{")
}

// distant has a node in a carrier fetch, for a task, what one in the carrier "near" has; tracked wraps
// the tracker.
func distant(t *testing.T, carrier string, tracked func(http.Handler) http.Handler) (tc *tapi.Client, task tapi.Task) {
	tr, err := tracker.New(tracker.Config{Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(tracked(tr.Handler()))
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- tr.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		srv.CloseClientConnections()
		srv.Close()
		<-ended // cancelled
		if err := tr.Close(); err != nil {
			t.Error(err)
		}
	})
	if tc, err = tapi.NewClient([]string{srv.URL}, nil); err != nil {
		t.Fatal(err)
	}
	origin, _, _ := startGateway(t, node.Config{Name: "origin", Trackers: []string{srv.URL}, Locality: shoal.Locality{Carrier: "near"}})
	file := filepath.Join(t.TempDir(), "file.bin")
	writeFile(t, file, 1<<20)
	seeded, err := origin.Seed(t.Context(), file, nil)
	if err != nil {
		t.Fatal(err)
	}
	start(t, node.Config{
		Name: "edge", Data: t.TempDir(), Trackers: []string{srv.URL}, Locality: shoal.Locality{Carrier: carrier},
		WebGuard: fallback.Guard{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}},
	})
	liveNodes(t, tc, 2)
	eventually(t, "the origin announces the content", func() bool {
		contents, err := tc.Contents(t.Context())
		return err == nil && len(contents) > 0 && contents[0].Holders > 0
	})
	if task, err = tc.CreateTask(t.Context(), tapi.NewTask{Content: seeded.Content, Nodes: []string{"edge"}}); err != nil {
		t.Fatal(err)
	}
	return tc, task
}

// Where only peers in other carriers have a content, the node has a lease before it has the manifest:
// neither waits for the other. Where a near one has it, none is asked for.
func TestLeaseAhead(t *testing.T) {
	for _, tt := range []struct {
		carrier string // of the node that fetches
		wait    time.Duration
		ahead   bool
	}{{"far", 45 * time.Second, true}, {"near", 500 * time.Millisecond, false}} {
		t.Run(tt.carrier, func(t *testing.T) {
			t.Parallel()
			late := &lateManifests{wait: tt.wait, after: make(chan bool, 16)}
			tc, task := distant(t, tt.carrier, func(h http.Handler) http.Handler { late.Handler = h; return late })
			if task = finished(t, tc, task.ID); task.State != tapi.Succeeded {
				t.Fatalf("%+v", task)
			}
			if ahead := <-late.after; ahead != tt.ahead {
				t.Errorf("a lease was granted before the manifest: %v, want %v", ahead, tt.ahead)
			}
		})
	}
}

// A lease that was asked for ahead of time goes back with the order's end, not when it expires.
func TestLeaseAheadOfCancelledOrder(t *testing.T) {
	t.Parallel()
	var late *lateManifests
	back := make(chan time.Time, 16)
	tc, task := distant(t, "far", func(h http.Handler) http.Handler {
		late = &lateManifests{Handler: h}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/torrent"):
				<-r.Context().Done() // it never comes
				return
			case r.Method == http.MethodDelete && strings.HasPrefix(r.URL.Path, "/v1/leases/"):
				back <- time.Now()
			}
			h.ServeHTTP(w, r)
		})
	})
	eventually(t, "a lease is granted", late.granted)
	cancelled := time.Now()
	if _, err := tc.CancelTask(t.Context(), task.ID); err != nil {
		t.Fatal(err)
	}
	select {
	case at := <-back:
		if took := at.Sub(cancelled); took > 8*time.Second { // it lasts for 10 s
			t.Errorf("given back after %v", took)
		}
	case <-time.After(time.Minute):
		t.Error("never given back")
	}
}
