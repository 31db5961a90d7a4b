//go:build linux

package system

import (
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shoal-cdn/shoal/internal/lab/cluster"
)

// Something on the way lets HTTPS through, and little of that over TCP: a fetch finds out that HTTP/3 is faster, and
// goes on over that; the next one knows it (M7).
func TestFetchThrottledTCP(t *testing.T) {
	t.Parallel()
	const rate = 80 * mbit
	size := 3 * fileSize
	w := newWorld(t, 0, rate)
	origin, node := w.placedNode("gateway", rate), w.placedNode("behind", rate)
	for _, f := range []struct {
		at, from *cluster.Node
		port     string
	}{{origin, node, "dport"}, {node, origin, "sport"}} {
		drop(t, f.at.Host(), fmt.Sprintf("ip saddr %v meta l4proto {tcp, udp} th %s != 7280", f.from.Host().Addr(), f.port))
	}
	drop(t, node.Host(), "tcp sport 7280 limit rate over 800 kbytes/second")
	counted := countBytes(t, node.Host(), "tcp sport 7280")
	for i, most := range []float64{0.25, 0.15} { // of all, over TCP
		source := filepath.Join(t.TempDir(), fmt.Sprintf("file%d.bin", i))
		randomFile(t, source, size, uint64(20+i))
		seeded, err := origin.Seed(t.Context(), source)
		must(t, err)
		before := counted()
		s := w.fetches(within(t, patience), node, seeded.Content)
		sameFile(t, source, node)
		share := float64(counted()-before) / float64(size)
		t.Logf("fetch %d: %.3f of it over TCP", i, share)
		if share > most || s.Bytes.Upstream < int64(size) {
			t.Errorf("fetch %d: %.2f of it over TCP, %+v; want at most %.2f", i, share, s.Bytes, most)
		}
	}
	known := goodputs(t, node)
	t.Logf("known of upstreams: %q", known)
	if len(known) != 2 {
		t.Errorf("metrics tell %q of upstreams, want a goodput of each transport", known)
	}
}

// goodputs are the lines of a node's metrics about transports of upstreams.
func goodputs(t *testing.T, n *cluster.Node) (lines []string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, n.URL+"/metrics", nil)
	must(t, err)
	resp, err := n.Host().HTTPClient().Do(req)
	must(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	for line := range strings.Lines(string(body)) {
		if strings.HasPrefix(line, "shoal_node_upstream_goodput_bytes_per_second{") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}
