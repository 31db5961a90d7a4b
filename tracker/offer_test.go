package tracker

import (
	"testing"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// An order comes with a lease where its node will need one for certain, and then only.
func TestOrderWithLease(t *testing.T) {
	m := content(t, 1)
	for name, tt := range map[string]struct {
		origin, node string // carriers
		to           []string
		here         bool // the node has begun already
		offered      bool
	}{
		"across carriers":     {"a", "b", []string{"edge"}, false, true},
		"within one":          {"a", "a", []string{"edge"}, false, false},
		"nobody knows":        {"", "b", []string{"edge"}, false, false},
		"nor of the node":     {"a", "", []string{"edge"}, false, false},
		"for other nodes too": {"a", "b", []string{"edge", "other"}, false, false},
		"begun already":       {"a", "b", []string{"edge"}, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, f *fixture) {
				must(f.client.PutContent(t.Context(), m.Torrent()))
				origin, edge, other := f.node("origin"), f.node("edge"), f.node("other")
				origin.a.Node.Locality, edge.a.Node.Locality = shoal.Locality{Carrier: tt.origin}, shoal.Locality{Carrier: tt.node}
				origin.a.Node.Gateway = []string{"https://10.0.0.1:7280"}
				origin.a.Holdings = holding(m, api.Origin)
				if tt.here {
					edge.a.Holdings = holding(m, api.Fetcher)
				}
				for _, n := range []*node{origin, edge, other} {
					n.say(0)
				}
				task := must(f.client.CreateTask(t.Context(), api.NewTask{Content: m.ID(), Nodes: tt.to}))
				r := edge.say(0)
				if len(r.SubTasks) != 1 || (r.SubTasks[0].Lease != nil) != tt.offered {
					t.Fatalf("orders %+v", r.SubTasks)
				}
				if !tt.offered {
					return
				}
				l := r.SubTasks[0].Lease
				if l.Upstream.Node != origin.a.Node.ID || l.Head == nil || l.Head.Path != "file.bin" || l.Head.From != 0 || l.Head.Bytes != min(l.Bytes, 100_000) {
					t.Errorf("lease %+v, head %+v", l, l.Head)
				}
				if again := edge.say(0).SubTasks; len(again) != 1 || again[0].Lease == nil || again[0].Lease.ID != l.ID {
					t.Errorf("the order repeated: %+v", again)
				}
				renewed := must(edge.ask(m, func(r *api.LeaseRequest) { r.Lease, r.Used, r.Reason = l.ID, 1, api.CrossCarrier })).Lease
				if renewed == nil || renewed.ID != l.ID {
					t.Errorf("renewed: %+v", renewed)
				}
				if more := edge.report(task.ID, api.Running).SubTasks; len(more) != 0 {
					t.Errorf("orders after it was taken: %+v", more)
				}
			})
		})
	}
}
