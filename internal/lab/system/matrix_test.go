//go:build linux

package system

import (
	"context"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/internal/lab/cluster"
	"github.com/shoal-cdn/shoal/internal/lab/linkem"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// Two carriers and a line between them that is not perfect: after a transfer the
// tracker's matrix tells what the line is like (M4).
func TestMatrix(t *testing.T) {
	t.Parallel()
	const rate = 20 * mbit
	there := linkem.Config{Rate: rate, Delay: 30 * time.Millisecond, Loss: 0.01, Seed: 3}
	back := there
	back.Seed = 4
	w := eastWest(t, there, back)
	w.origin = w.in(w.carrier, "origin", 0, "--gateway", "off", "--gateway-tls", "off") // which the matrix doesn't count
	w.nodes = []*cluster.Node{w.in(w.other, "edge0", 0), w.in(w.other, "edge1", 0)}
	_, id := seedFile(t, w.origin, "file.bin", fileSize, 11)
	task := w.distribute(within(t, patience), id, "edge0", "edge1")
	var crossed int64
	for _, s := range task.Nodes {
		t.Logf("%s: %.2f s, %+v", s.Node, s.Seconds, s.Bytes)
		crossed += s.Bytes.CrossCarrier
	}
	p := w.line(within(t, patience), "east", "west", int64(fileSize))
	t.Logf("matrix: RTT %.1f ms, loss %.2f %%, goodput %v of %v, %v of %v, by %d nodes, %.1f s ago",
		p.RTT, 100**p.Loss, p.Goodput.Short(), rate.Short(), shoal.Size(p.Bytes).Short(), fileSize.Short(), p.Nodes, p.Age)
	if p.RTT < 55 || p.RTT > 150 {
		t.Errorf("RTT %.1f ms on a line of 60", p.RTT)
	}
	if *p.Loss < 0.002 || *p.Loss > 0.03 {
		t.Errorf("loss %.2f %% on a line that loses 1 %%", 100**p.Loss)
	}
	// A busy machine does not fill the line, and the two share it: what it brought on average counts.
	average := shoal.Rate(float64(crossed) / task.Seconds)
	if p.Goodput < average/3 || p.Goodput > rate*105/100 {
		t.Errorf("goodput is %v of a line of %v that brought %v on average", p.Goodput.Short(), rate.Short(), average.Short())
	}
}

// line waits until the matrix has figures of a line, and so many bytes.
func (w *world) line(ctx context.Context, from, to string, bytes int64) tapi.PathSeen {
	w.t.Helper()
	for {
		var top tapi.Topology
		err := w.cluster.Command(ctx, w.tracker.Host(), &top, "nodes", "--matrix", "--tracker", w.tracker.URL, "--json")
		if ctx.Err() == nil {
			must(w.t, err)
		}
		for _, p := range top.Paths {
			if p.From == from && p.To == to && p.Bytes >= bytes && p.Loss != nil && p.RTT > 0 {
				return p
			}
		}
		select {
		case <-ctx.Done():
			w.t.Fatalf("no line from %s to %s with %d bytes: %+v", from, to, bytes, top)
		case <-time.After(200 * time.Millisecond):
		}
	}
}
