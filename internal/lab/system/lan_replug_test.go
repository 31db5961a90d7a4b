//go:build linux

package system

import (
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal/internal/lab"
	"github.com/shoal-cdn/shoal/internal/lab/cluster"
)

// A holder's interface is taken away and is back at once, under the same name and
// index: the node is found on it, by multicast alone since a network of two has no
// broadcast address (M5).
func TestLANInterfaceMadeAnew(t *testing.T) {
	t.Parallel()
	w := emptyWorld(t)
	var err error
	w.carrier, err = w.lab.AddCarrier("lan")
	must(t, err)
	a, b := w.host("a", 0), w.host("b", 0)
	const addrA, addrB = "198.19.252.0", "198.19.252.1"
	cable(t, a, addrA+"/31", b, addrB+"/31")
	holder, err := w.cluster.StartNode(t.Context(), a, cluster.NodeConfig{Args: []string{"--listen", addrA + ":7000"}})
	must(t, err)
	source, id := seedFile(t, holder, "file.bin", 1<<20, 51)

	get := func(name string) {
		t.Helper()
		begun := time.Now()
		copied := filepath.Join(t.TempDir(), name)
		must(t, w.cluster.Command(within(t, patience), b, nil, "get", id.String(), "-o", copied, "--listen", addrB+":7000"))
		t.Logf("%s: %.2f s", name, time.Since(begun).Seconds())
		sameBytes(t, name, source, copied)
	}
	get("before")
	before := indexOf(t, a, "eth1")
	replug(t, a, addrA+"/31", b, addrB+"/31")
	if now := indexOf(t, a, "eth1"); now != before {
		t.Fatalf("the new interface has index %d, the old one had %d", now, before)
	}
	get("after")
}

// replug removes a cable and lays it anew with the same index at a's end.
func replug(t *testing.T, a *lab.Host, addrA string, b *lab.Host, addrB string) {
	t.Helper()
	index := strconv.Itoa(indexOf(t, a, "eth1"))
	ip(t, a, "link", "del", "dev", "eth1")
	ip(t, a, "link", "add", "eth1", "index", index, "type", "veth", "peer", "name", "eth1", "netns", b.Namespace())
	ip(t, a, "addr", "add", addrA, "dev", "eth1")
	ip(t, b, "addr", "add", addrB, "dev", "eth1")
	ip(t, b, "link", "set", "dev", "eth1", "up")
	ip(t, a, "link", "set", "dev", "eth1", "up")
}

// indexOf is the index of a host's interface.
func indexOf(t *testing.T, h *lab.Host, device string) int {
	t.Helper()
	out, err := h.Command(t.Context(), "ip", "-o", "link", "show", "dev", device).Output()
	must(t, err)
	text, _, _ := strings.Cut(string(out), ":")
	n, err := strconv.Atoi(text)
	must(t, err)
	return n
}
