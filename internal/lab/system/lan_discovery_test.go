//go:build linux

package system

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal/internal/lab"
	"github.com/shoal-cdn/shoal/internal/lab/cluster"
)

// A LAN without any tracker: one node seeds, three get by the content's ID alone (M5,
// M6). All complete while a forger answers each query within a millisecond with
// messages that are not signed by whom they name; nobody dials what those name, and
// the router, which all hosts have as their way to everywhere else, forwards nothing.
func TestLANWithoutTracker(t *testing.T) {
	t.Parallel()
	const getters, rate = 3, 100 * mbit
	w := emptyWorld(t)
	c := w.cluster
	var err error
	w.carrier, err = w.lab.AddCarrier("lan")
	must(t, err)

	router := newRouter(t, w.host("router", 0))
	forger := startForger(t, router.via(w.host("forger", 0)))
	origin, err := c.StartNode(t.Context(), router.via(w.host("origin", rate)), cluster.NodeConfig{Up: rate, Down: rate})
	must(t, err)
	source, id := seedFile(t, origin, "file.bin", fileSize, 8)

	ctx := within(t, patience)
	dir := t.TempDir()
	var all sync.WaitGroup
	begun := time.Now()
	for i := range getters {
		name := fmt.Sprintf("g%d", i)
		h := router.via(w.host(name, rate))
		all.Go(func() {
			copied := filepath.Join(dir, name)
			err := c.Command(ctx, h, nil, "get", id.String(), "-o", copied,
				"--listen", h.AddrPort(7000).String(), "--up", rate.String(), "--down", rate.String())
			if err != nil {
				t.Error(err)
				return
			}
			t.Logf("%s: %.2f s", name, time.Since(begun).Seconds())
			sameBytes(t, name, source, copied)
		})
	}
	all.Wait()

	heard, dialled := forger.counts(t)
	t.Logf("the forger heard %d queries, and was dialled %d times", heard, dialled)
	if heard == 0 || dialled > 0 {
		t.Errorf("the forger heard %d queries, and was dialled %d times", heard, dialled)
	}
	if n := router.forwarded(t); n != 0 {
		t.Errorf("%d packets left the LAN", n)
	}
	// The counter counts.
	stray := router.via(w.host("stray", 0))
	conn, err := stray.DialContext(ctx, "udp", elsewhere+":9")
	must(t, err)
	defer conn.Close()
	_, err = conn.Write([]byte("x"))
	must(t, err)
	if n := router.forwarded(t); n != 1 {
		t.Errorf("%d packets counted where one was sent away", n)
	}
}

// elsewhere is an address that is not on the LAN.
const elsewhere = "203.0.113.1"

// router is a host that knows the way to everywhere.
type router struct {
	*lab.Host
	t *testing.T
}

func newRouter(t *testing.T, h *lab.Host) *router {
	t.Helper()
	r := &router{h, t}
	r.run(h, "echo 1 > /proc/sys/net/ipv4/ip_forward && ip link add wan0 type veth peer name wan1 && "+
		"ip link set wan0 up && ip link set wan1 up && ip route replace default dev wan0 && "+
		"ip neigh add "+elsewhere+" lladdr 02:00:00:00:00:01 dev wan0")
	return r
}

// via makes the router the host's way to everywhere else.
func (r *router) via(h *lab.Host) *lab.Host {
	r.t.Helper()
	ip(r.t, h, "route", "replace", "default", "via", r.Addr().String())
	return h
}

// forwarded counts the packets that the router sent on.
func (r *router) forwarded(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(strings.Fields(r.run(r.Host, "grep '^Ip: [0-9]' /proc/net/snmp"))[6]) // ForwDatagrams
	must(t, err)
	return n
}

func (r *router) run(h *lab.Host, script string) string {
	r.t.Helper()
	return on(r.t, h, "sh", "-c", script)
}

// The environment of a process of this test binary that forges answers: where it
// leaves its counts.
const forgerCounts = "SHOAL_FORGER_COUNTS"

// forger is a host that answers queries on the LAN with what nobody signed.
type forger struct{ counted string }

func startForger(t *testing.T, h *lab.Host) forger {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	f := forger{filepath.Join(t.TempDir(), "counts")}
	_, err = h.Start(lab.ProcessConfig{
		Name: "forger", Command: []string{self}, Log: filepath.Join(t.ArtifactDir(), "forger.log"),
		Env: []string{forgerCounts + "=" + f.counted},
	})
	must(t, err)
	for ctx := within(t, patience); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(f.counted); err == nil {
			return f
		}
		must(t, ctx.Err())
	}
}

func (f forger) counts(t *testing.T) (heard, dialled int) {
	t.Helper()
	b, err := os.ReadFile(f.counted)
	must(t, err)
	_, err = fmt.Sscan(string(b), &heard, &dialled)
	must(t, err)
	return heard, dialled
}

// beForger answers every query (package lan) at once and many times. Its answers name
// its own TCP port, where it counts who comes, and are signed by somebody else or by
// nobody; or they are signed and name an address elsewhere.
func beForger(counted string) error {
	queries, err := net.ListenUDP("udp4", &net.UDPAddr{Port: 7075})
	if err != nil {
		return err
	}
	trap, err := net.Listen("tcp4", ":7071")
	if err != nil {
		return err
	}
	var mu sync.Mutex
	var heard, dialled int
	count := func(n *int) error {
		mu.Lock()
		defer mu.Unlock()
		if n != nil {
			*n++
		}
		err := os.WriteFile(counted+".new", fmt.Append(nil, heard, " ", dialled), 0o644)
		return errors.Join(err, os.Rename(counted+".new", counted))
	}
	if err := count(nil); err != nil {
		return err
	}
	go func() {
		for {
			c, err := trap.Accept()
			if err != nil {
				return
			}
			c.Close()
			_ = count(&dialled)
		}
	}()
	_, named, err := ed25519.GenerateKey(nil)
	if err != nil {
		return err
	}
	_, other, err := ed25519.GenerateKey(nil)
	if err != nil {
		return err
	}
	for b := make([]byte, 2000); ; {
		n, from, err := queries.ReadFromUDPAddrPort(b)
		if err != nil {
			return err
		}
		if n < 95 || string(b[:6]) != "SHLN\x01\x01" {
			continue
		}
		if err := count(&heard); err != nil {
			return err
		}
		here, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(from)) // for the own address
		if err != nil {
			return err
		}
		own := here.LocalAddr().(*net.UDPAddr).IP.To4()
		here.Close()
		forged := [][]byte{
			forgedAnswer(b[:n], named, other, own, false),
			forgedAnswer(b[:n], named, nil, own, false),
			forgedAnswer(b[:n], named, named, own, true), // another query's
			forgedAnswer(b[:n], named, named, net.ParseIP(elsewhere).To4(), false),
			b[:n], []byte("SHLN"), {},
		}
		for range 20 {
			for _, answer := range forged {
				_, _ = queries.WriteToUDPAddrPort(answer, from)
			}
		}
	}
}

// forgedAnswer is an answer to a query that names a node, which has all of the
// content, at an IPv4 address.
func forgedAnswer(query []byte, named, signer ed25519.PrivateKey, ip net.IP, old bool) []byte {
	a := append([]byte("SHLN\x01\x02"), query[6:22]...)
	if old {
		a[6]++
	}
	a = append(a, named.Public().(ed25519.PublicKey)...)
	a = append(a, query[54:86]...)
	a = append(a, 0, 0, 0, 9, 0, 0, 0, 9, 1, 1, 4)
	a = append(a, ip...)
	a = append(a, 7071>>8, 7071&0xff)
	if signer == nil {
		return append(a, make([]byte, ed25519.SignatureSize)...)
	}
	return append(a, ed25519.Sign(signer, append([]byte("shoal LAN 1\n"), a...))...)
}
