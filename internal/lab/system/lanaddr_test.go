//go:build linux

package system

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/internal/lab"
	"github.com/shoal-cdn/shoal/internal/lab/cluster"
	"github.com/shoal-cdn/shoal/internal/lab/linkem"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// Two machines of one LAN, each with a link of its own to the outside (M4): the
// bytes of a transfer go over the internal interfaces, though the nodes announce
// the external addresses first.
func TestInternalFirst(t *testing.T) {
	t.Parallel()
	w, a, b := twoMachines(t)
	cable(t, a, "198.19.250.1/24", b, "198.19.250.2/24")
	var err error
	w.tracker, err = w.cluster.StartTracker(t.Context(), a)
	must(t, err)
	gateway := []string{"--gateway", "0.0.0.0:7180", "--gateway-tls", "0.0.0.0:7280"}
	origin, node := w.listening(a, gateway), w.listening(b, gateway)
	source, id := seedFile(t, origin, "file.bin", fileSize, 21)

	external, err := b.Counters()
	must(t, err)
	internal := received(t, b, "eth1")
	task := w.distribute(within(t, patience), id, node.Name())
	sameFile(t, source, node)
	after, err := b.Counters()
	must(t, err)
	inside, through := received(t, b, "eth1")-internal, after.Sub(external).ReceivedBytes
	t.Logf("%v in %.2f s: received %v inside, %v outside", fileSize, task.Seconds, shoal.Size(inside), shoal.Size(through))
	if inside < int64(fileSize) {
		t.Errorf("%d bytes came over the internal link, want all %d", inside, fileSize)
	}
	if through > int64(fileSize)/100 { // announces and their answers
		t.Errorf("%d bytes came over the external link", through)
	}
}

// A machine that is linked to two carriers is dialled on its address in the
// dialler's (M4, M7): by the operator's table alone, without a label on any node,
// and what comes that way is not counted as cross-carrier.
func TestDialledInOwnCarrier(t *testing.T) {
	t.Parallel()
	w, a, b := twoMachines(t)
	// a's second line has a route at each end, and no network that both are in.
	cable(t, a, "198.19.251.1/32", b, "198.19.251.2/32")
	ip(t, a, "route", "add", "198.19.251.2/32", "dev", "eth1")
	ip(t, b, "route", "add", "198.19.251.1/32", "dev", "eth1")
	table := filepath.Join(t.TempDir(), "places.csv")
	must(t, os.WriteFile(table, fmt.Appendf(nil, "%v,A\n%v,B\n198.19.251.0/24,B\n", a.Carrier().Network(), b.Carrier().Network()), 0o644))
	var err error
	w.tracker, err = w.cluster.StartTracker(t.Context(), a, "--places", table)
	must(t, err)
	gateway := []string{"--gateway", "off", "--gateway-tls", "off"}
	origin, node := w.listening(a, gateway), w.listening(b, gateway)
	source, id := seedFile(t, origin, "file.bin", fileSize, 22)
	before := received(t, b, "eth1")
	task := w.distribute(within(t, patience), id, node.Name())
	sameFile(t, source, node)
	came, crossed := received(t, b, "eth1")-before, task.Nodes[0].Bytes.CrossCarrier
	t.Logf("%v in %.2f s: received %v by the line of its own carrier, %v count as cross-carrier", fileSize, task.Seconds, shoal.Size(came), shoal.Size(crossed))
	if came < int64(fileSize) || crossed != 0 {
		t.Errorf("%d bytes came by the line of its own carrier, %d count as cross-carrier", came, crossed)
	}
	var nodes []tapi.Node
	must(t, w.tracker.Get(t.Context(), "/v1/nodes", &nodes))
	for _, n := range nodes {
		homes := len(n.Place.Homes)
		if n.Name == origin.Name() && (n.Carrier != "A" || homes != 1) || n.Name == node.Name() && (n.Carrier != "B" || homes != 0) {
			t.Errorf("%s is placed at %+v, %+v", n.Name, n.Locality, n.Place)
		}
	}
}

// twoMachines is a lab with two hosts, each in a carrier of its own, and a line
// between those.
func twoMachines(t *testing.T) (w *world, a, b *lab.Host) {
	t.Helper()
	w = emptyWorld(t)
	a, b = outside(t, w.lab, "a"), outside(t, w.lab, "b")
	line := linkem.Config{Rate: 100 * mbit, Delay: 5 * time.Millisecond}
	_, err := w.lab.Connect(a.Carrier(), b.Carrier(), line, line)
	must(t, err)
	return w, a, b
}

// listening starts a node that listens on all of a host's addresses.
func (w *world) listening(h *lab.Host, args []string) *cluster.Node {
	w.t.Helper()
	n, err := w.cluster.StartNode(w.t.Context(), h, cluster.NodeConfig{
		Trackers: []string{w.tracker.URL}, Args: append([]string{"--listen", "0.0.0.0:7000"}, args...),
	})
	must(w.t, err)
	w.awaitSession(n)
	return n
}

// outside is a host in a carrier of its own.
func outside(t *testing.T, l *lab.Lab, name string) *lab.Host {
	t.Helper()
	carrier, err := l.AddCarrier("isp-" + name)
	must(t, err)
	h, err := l.AddHost(name, lab.HostConfig{Carrier: carrier})
	must(t, err)
	return h
}

// cable lays a second link, eth1 of each, between two hosts.
func cable(t *testing.T, a *lab.Host, addrA string, b *lab.Host, addrB string) {
	t.Helper()
	ip(t, a, "link", "add", "eth1", "type", "veth", "peer", "name", "eth1", "netns", b.Namespace())
	for _, end := range []struct {
		h    *lab.Host
		addr string
	}{{a, addrA}, {b, addrB}} {
		ip(t, end.h, "addr", "add", end.addr, "dev", "eth1")
		ip(t, end.h, "link", "set", "dev", "eth1", "up")
	}
}

func ip(t *testing.T, h *lab.Host, args ...string) {
	t.Helper()
	on(t, h, "ip", args...)
}

// received is how many bytes an interface of a host has received (proc(5)).
func received(t *testing.T, h *lab.Host, device string) int64 {
	t.Helper()
	out, err := h.Command(t.Context(), "cat", "/proc/net/dev").Output()
	must(t, err)
	for sc := bufio.NewScanner(bytes.NewReader(out)); sc.Scan(); {
		var n int64
		if name, values, ok := strings.Cut(strings.TrimSpace(sc.Text()), ":"); ok && name == device {
			_, err := fmt.Sscan(values, &n)
			must(t, err)
			return n
		}
	}
	t.Fatalf("%s has no interface %s", h.Name(), device)
	return 0
}
