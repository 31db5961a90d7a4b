//go:build linux

package system

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/internal/lab"
	"github.com/shoal-cdn/shoal/internal/lab/cluster"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// placedNode starts a node that knows its carrier.
func (w *world) placedNode(name string, rate shoal.Rate, args ...string) *cluster.Node {
	w.t.Helper()
	n, err := w.cluster.StartNode(w.t.Context(), w.host(name, rate), cluster.NodeConfig{
		Trackers: []string{w.tracker.URL}, Up: rate, Down: rate,
		Locality: shoal.Locality{Carrier: "isp"},
		Args:     args,
	})
	must(w.t, err)
	return n
}

// fetches has one node get a content, and returns how that went.
func (w *world) fetches(ctx context.Context, n *cluster.Node, id shoal.ContentID) tapi.SubTask {
	w.t.Helper()
	task := w.distribute(ctx, id, n.Name())
	if len(task.Nodes) != 1 {
		w.t.Fatalf("the task has %d nodes, want 1", len(task.Nodes))
	}
	s := task.Nodes[0]
	w.t.Logf("%s: %.2f s, %+v, %+v", s.Node, s.Seconds, s.Bytes, s.Why)
	return s
}

// A firewall lets HTTPS through and nothing else between a node and the origin: it
// gets everything from the origin's gateway (M8).
func TestPeersBlocked(t *testing.T) {
	t.Parallel()
	const rate = 80 * mbit
	w := newWorld(t, 0, rate)
	origin, node := w.placedNode("gateway", rate), w.placedNode("walled", rate)
	for _, f := range []struct {
		at, from *cluster.Node
		port     string
	}{{origin, node, "dport"}, {node, origin, "sport"}} {
		drop(t, f.at.Host(), fmt.Sprintf("ip saddr %v meta l4proto {tcp, udp} th %s != 7280", f.from.Host().Addr(), f.port))
	}
	source, id := seedFile(t, origin, "file.bin", fileSize, 7)
	s := w.fetches(within(t, patience), node, id)
	sameFile(t, source, node)
	if s.Bytes.Upstream < int64(fileSize) || s.Bytes.Origin+s.Bytes.Peers > 0 {
		t.Errorf("bytes by source: %+v, want all from an upstream", s.Bytes)
	}
}

// A node whose firewall lets no connection out but to the tracker, and any in: the
// holder is told to dial it, and serves it over the connection it opened (M8,
// push).
func TestPush(t *testing.T) {
	t.Parallel()
	const rate = 80 * mbit
	w := newWorld(t, 0, rate)
	holder, node := w.placedNode("holder", rate), w.placedNode("walled", rate)
	source, id := seedFile(t, holder, "file.bin", fileSize, 8)
	from := fmt.Sprintf("ip saddr %v ", node.Host().Addr())
	for _, n := range []*cluster.Node{w.origin, holder} {
		drop(t, n.Host(), from+"tcp flags & (syn | ack) == syn", from+"meta l4proto udp")
	}
	s := w.fetches(within(t, patience), node, id)
	sameFile(t, source, node)
	if s.Bytes.Origin < int64(fileSize) {
		t.Errorf("bytes by source: %+v, want all over the connection that the origin opened", s.Bytes)
	}
}

// A cold start: nobody has the content but a web server. The nodes read about one
// copy of it, and the rest from each other (B1).
func TestColdStart(t *testing.T) {
	t.Parallel()
	const nodes, rate = 6, 20 * mbit
	w := newWorld(t, 0, rate)
	dir := t.TempDir()
	source := filepath.Join(dir, "file.bin")
	size := fileSize / 2
	randomFile(t, source, size, 9)
	web := w.host("web", rate)
	id := w.publish(web, dir, "file.bin")
	all := make([]*cluster.Node, nodes)
	names := make([]string, nodes)
	for i := range all {
		names[i] = fmt.Sprintf("cold%d", i)
		all[i] = w.placedNode(names[i], rate, "--web-allow", "198.18.0.0/15")
	}
	before, err := web.Counters()
	must(t, err)
	task := w.distribute(within(t, patience), id, names...)
	after, err := web.Counters()
	must(t, err)
	for _, n := range all {
		sameFile(t, source, n)
	}
	var slowest float64
	for _, s := range task.Nodes {
		slowest = max(slowest, s.Seconds)
	}
	bound := float64(size) / (float64(rate) * wirePayload)
	copies := float64(after.Sub(before).SentBytes) * wirePayload / float64(size)
	t.Logf("%v to %d nodes in %.2f s, bound %.2f s: %.3f; the web server sent %.3f copies", size, nodes, slowest, bound, slowest/bound, copies)
	if copies > 1.3 {
		t.Errorf("the web server sent %.2f copies, want 1.3 at most", copies)
	}
}

// What origins may send into one carrier is an operator's choice: here all of them
// together 8 Mbit/s (B1).
func TestCarrierRate(t *testing.T) {
	t.Parallel()
	const size, bound = 6 << 20, 8 * mbit
	w := newWorld(t, 0, 0)
	dir := t.TempDir()
	source := filepath.Join(dir, "file.bin")
	randomFile(t, source, size, 10)
	id := w.publish(w.host("web", 0), dir, "file.bin")
	var nodes []string
	for i := range 2 {
		n := w.placedNode(fmt.Sprintf("edge%d", i), 0, "--web-allow", "198.18.0.0/15")
		nodes = append(nodes, n.Name())
	}
	var task tapi.Task
	err := w.cluster.Command(within(t, patience), w.tracker.Host(), &task, "task", "create", id.String(), "--tracker", w.tracker.URL,
		"--nodes", strings.Join(nodes, ","), "--carrier-rate", "isp="+bound.String(), "--carrier-rate", "elsewhere=1kbit", "--wait", "--json")
	must(t, err)
	// A limiter lets a second's worth through at once.
	least := float64(size)/float64(bound) - 1
	t.Logf("%d bytes from a web server to %d nodes in %.2f s, at %v into their carrier at least %.2f s", size, len(nodes), task.Seconds, bound, least)
	if task.Seconds < least || task.Limits.Carriers["isp"].EgressRate != bound {
		t.Errorf("%.2f s, with limits %+v", task.Seconds, task.Limits)
	}
}

// publish serves a folder over HTTP from a host, and registers a file in it with the tracker, with
// that as its only source (BEP 19).
func (w *world) publish(h *lab.Host, dir, name string) shoal.ContentID {
	w.t.Helper()
	ctx := w.t.Context()
	ln, err := h.Listen(ctx, 8080)
	must(w.t, err)
	server := &http.Server{Handler: http.FileServer(http.Dir(dir))}
	go func() { _ = server.Serve(ln) }() // until it is closed
	w.t.Cleanup(func() { must(w.t, server.Close()) })

	return w.register(filepath.Join(dir, name), "http://"+ln.Addr().String()+"/"+name)
}
