package tracker

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

const webSeed = "http://origin.example/file.bin"

// seeded is a content with a web seed.
func seeded(t *testing.T, fill byte) *shoal.Manifest {
	t.Helper()
	return must(content(t, fill).WithWebSeeds([]string{webSeed}))
}

// ask asks for a lease of m's content.
func (n *node) ask(m *shoal.Manifest, change ...func(*api.LeaseRequest)) (api.LeaseReply, error) {
	r := api.LeaseRequest{Node: n.a.Node.ID, Session: n.a.Session, Content: m.ID(), Reason: api.NoPeers}
	for _, f := range change {
		f(&r)
	}
	return n.client.Lease(n.Context(), r)
}

// TestLease: M8 and B1 over HTTP, from a node without peers to the end of its lease.
func TestLease(t *testing.T) {
	m := seeded(t, 1)
	bubble(t, func(t *testing.T, f *fixture) {
		must(f.client.PutContent(t.Context(), m.Torrent()))
		n, other := f.node("n"), f.node("other")
		if _, err := n.ask(m); !errors.Is(err, shoal.ErrConflict) {
			t.Errorf("before the node has announced: %v", err)
		}
		n.a.Holdings = holding(m, api.Fetcher)
		n.say(0)
		other.a.Holdings = holding(m, api.Fetcher)
		other.say(0)
		l := must(n.ask(m)).Lease
		if l == nil || l.Upstream.Name != webSeed || l.Upstream.Kind != api.WebSeed || l.Expires <= 0 || l.Bytes <= 0 || l.Connections < 1 {
			t.Fatalf("lease %+v", l)
		}
		again := must(n.ask(m, func(r *api.LeaseRequest) { r.Lease, r.Used = l.ID, 1 })).Lease
		if again == nil || again.ID != l.ID {
			t.Errorf("renewed: %+v", again)
		}
		for range 2 { // the second time it isn't there any more
			if err := f.client.ReturnLease(t.Context(), l.ID, l.Bytes); err != nil {
				t.Error(err)
			}
		}
		// A node that dies leaves its pieces to others.
		lost := must(n.ask(m)).Lease
		time.Sleep(4 * time.Second)
		n.a.Leaving = true
		n.say(0)
		if l := must(other.ask(m)).Lease; lost == nil || l == nil || l.Pieces[0].First != lost.Pieces[0].First {
			t.Errorf("leased to a node that left %+v, then %+v", lost, l)
		}
		body := fetchIn(f, "/metrics")
		for _, line := range []string{
			`shoal_tracker_leases_granted_total{kind="web_seed"} 4`, "shoal_tracker_leases 1",
			fmt.Sprintf(`shoal_tracker_upstream_bytes_total{kind="web_seed",upstream="origin.example"} %d`, l.Bytes),
		} {
			if !strings.Contains(body, line+"\n") {
				t.Errorf("no line %q", line)
			}
		}
	})
}

func TestLeaseErrors(t *testing.T) {
	m := seeded(t, 2)
	bubble(t, func(t *testing.T, f *fixture) {
		n := f.node("n")
		n.say(0)
		if _, err := n.ask(m); !errors.Is(err, shoal.ErrNotFound) {
			t.Errorf("a content that isn't registered: %v", err)
		}
		must(f.client.PutContent(t.Context(), m.Torrent()))
		if _, err := n.ask(m, func(r *api.LeaseRequest) { r.Reason = "greed" }); !errors.Is(err, shoal.ErrInvalid) {
			t.Errorf("a reason that isn't one: %v", err)
		}
		if _, err := f.client.CreateTask(t.Context(), api.NewTask{Content: m.ID(), Nodes: []string{"n"}, Limits: api.Limits{EgressCopies: -1}}); !errors.Is(err, shoal.ErrInvalid) {
			t.Errorf("negative limits: %v", err)
		}
	})
}

// TestLimits: B1, a task's limits are kept, shown and hold for its leases.
func TestLimits(t *testing.T) {
	m := seeded(t, 3)
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		f := serve(t, dir)
		must(f.client.PutContent(t.Context(), m.Torrent()))
		f.node("n").say(0)
		task := must(f.client.CreateTask(t.Context(), api.NewTask{Content: m.ID(), Nodes: []string{"n"}, Limits: api.Limits{EgressRate: 5000}}))
		if task.Limits.EgressRate != 5000 {
			t.Errorf("limits %+v", task.Limits)
		}
		f.stop()
		f = serve(t, dir)
		defer f.stop()
		n := f.node("n")
		n.say(0)
		why := api.Why{Active: 1.5, Lease: 2}
		n.a.SubTasks = []api.SubTaskReport{{Task: task.ID, State: api.Running, Why: why, Bytes: api.Bytes{Upstream: 7}}}
		n.say(0)
		got := must(f.client.Task(t.Context(), task.ID))
		if got.Limits.EgressRate != 5000 || got.Nodes[0].Why != why || got.Nodes[0].Bytes.Upstream != 7 {
			t.Errorf("%+v", got)
		}
		of := func(r *api.LeaseRequest) { r.Task = task.ID }
		if r := must(n.ask(m, of)); r.Reason != api.Starting {
			t.Errorf("just after the start: %+v", r)
		}
		time.Sleep(leasesAfterStart)
		if l := must(n.ask(m, of)).Lease; l == nil || l.Rate != 5000 {
			t.Errorf("lease %+v", l)
		}
		if r := must(n.ask(m, of)); r.Reason != api.Busy {
			t.Errorf("beyond the rate: %+v", r)
		}
		// Another web seed is used as soon as it is registered.
		const second = "http://second.example/"
		must(f.client.PutContent(t.Context(), must(m.WithWebSeeds([]string{second})).Torrent()))
		if l := must(n.ask(m, of)).Lease; l == nil || l.Upstream.Name != second {
			t.Errorf("lease %+v", l)
		}
	})
}

// TestPushOverHTTP: M8, the held announce of a holder is answered at once with
// the order to dial a node that cannot dial.
func TestPushOverHTTP(t *testing.T) {
	m := content(t, 4)
	bubble(t, func(t *testing.T, f *fixture) {
		must(f.client.PutContent(t.Context(), m.Torrent()))
		holder, n := f.node("holder"), f.node("n")
		holder.a.Holdings = holding(m, api.Holder)
		holder.say(0)
		n.a.Holdings = holding(m, api.Fetcher)
		n.say(0)
		answered := make(chan api.Reply, 1)
		go func() { answered <- holder.say(20 * time.Second) }()
		time.Sleep(time.Second)
		begun := time.Now()
		r := must(n.ask(m, func(r *api.LeaseRequest) { r.Reason = api.Unreachable }))
		if r.Push != holder.a.Node.ID {
			t.Fatalf("%+v", r)
		}
		got := <-answered
		if time.Since(begun) != 0 || len(got.Dial) != 1 || got.Dial[0].Content != m.ID() || got.Dial[0].Peer.ID != n.a.Node.ID || len(got.Dial[0].Peer.Addrs) == 0 {
			t.Errorf("answered after %v: %+v", time.Since(begun), got.Dial)
		}
	})
}

// fetchIn gets a page of the fixture's tracker.
func fetchIn(f *fixture, path string) string {
	resp := must(f.hc.Do(must(http.NewRequestWithContext(f.Context(), http.MethodGet, "http://tracker"+path, nil))))
	defer resp.Body.Close()
	return string(must(io.ReadAll(resp.Body)))
}
