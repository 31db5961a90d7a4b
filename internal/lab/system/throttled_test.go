//go:build linux

package system

import (
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal/internal/lab/cluster"
)

// Something on the way lets HTTPS through, and little of that over TCP: a fetch finds out that HTTP/3 is faster, and
// goes on over that; the next one knows it (M7).
func TestFetchThrottledTCP(t *testing.T) {
	const rate, throttled = 80 * mbit, 800e3
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
	for i, most := range []float64{0.35, 0.2} {
		source := filepath.Join(t.TempDir(), fmt.Sprintf("file%d.bin", i))
		randomFile(t, source, size, uint64(20+i))
		seeded, err := origin.Seed(t.Context(), source)
		must(t, err)
		s := w.fetches(within(t, 2*time.Minute), node, seeded.Content)
		sameFile(t, source, node)
		if alone := float64(size) / throttled; s.Seconds > most*alone || s.Bytes.Upstream < int64(size) {
			t.Errorf("fetch %d: %.1f s, %+v; TCP takes %.1f s, want %.2f of that", i, s.Seconds, s.Bytes, alone, most)
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
