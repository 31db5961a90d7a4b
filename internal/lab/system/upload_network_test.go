//go:build linux

package system

import (
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/internal/lab"
)

// The client's cable is pulled for 20 s in the middle: the upload goes on, and sends
// again only what was under way (R3).
func TestUploadCablePulled(t *testing.T) {
	t.Parallel()
	// 3 s are usual; a pause between two attempts and one that comes to nothing take 23.
	interruptUpload(t, 30*time.Second, func(w *uploadWorld) {
		w.onClient("ip", "link", "set", "eth0", "down")
		time.Sleep(20 * time.Second)
		w.onClient("ip", "link", "set", "eth0", "up")
	})
}

// The client gets another address in the middle, as a laptop does in another network (R3).
func TestUploadOtherNetwork(t *testing.T) {
	t.Parallel()
	// 1 s is usual; that nothing moves is noticed after 15.
	interruptUpload(t, 10*time.Second, func(w *uploadWorld) {
		old, bits := w.client.Addr(), w.carrier.Network().Bits()
		other := old.As4()
		other[3] += 100
		w.onClient("ip", "addr", "del", netip.PrefixFrom(old, bits).String(), "dev", "eth0")
		w.onClient("ip", "addr", "add", netip.PrefixFrom(netip.AddrFrom4(other), bits).String(), "dev", "eth0")
	})
}

// Something on the way lets little TCP through: the upload finds out that QUIC is faster, and goes on over that
// with what is there (M7, M9).
func TestUploadThrottledTCP(t *testing.T) {
	t.Parallel()
	size := 4 * fileSize
	w := newUploadWorld(t, 80*mbit, size)
	const match = "tcp dport { 7180, 7280 }"
	drop(t, w.ingest.Host(), match+" limit rate over 800 kbytes/second")
	counted := countBytes(t, w.ingest.Host(), match)
	u := w.ended(within(t, 5*time.Minute), w.begin(filepath.Join(t.ArtifactDir(), "seed.log"), w.tracked()...))
	share := float64(counted()) / float64(size)
	t.Logf("%.2f of it over TCP", share)
	if u.Transport != "quic" || share > 0.6 {
		t.Errorf("%.2f of it over TCP, at last over %s", share, u.Transport)
	}
	w.atServer(u.Content)
}

// interruptUpload breaks an upload off after a third, and checks how soon it goes on when what breaks it
// is over, and what it sends.
func interruptUpload(t *testing.T, soon time.Duration, interrupt func(*uploadWorld)) {
	t.Helper()
	size := 4 * fileSize
	w := newUploadWorld(t, 80*mbit, size)
	before := w.sent()
	p := w.begin(filepath.Join(t.ArtifactDir(), "seed.log"), w.tracked()...)
	w.awaitSent(before, size/3)
	interrupt(w)
	over, then := time.Now(), w.sent()
	w.awaitSent(then, size/16)
	took := time.Since(over)
	t.Logf("went on %.1f s after that was over", took.Seconds())
	if took > soon {
		t.Errorf("went on after %v, want at most %v", took, soon)
	}
	u := w.ended(within(t, patience), p)
	w.sentAtMost(before, size, 1, u)
	w.atServer(u.Content)
}

// The file is written to in the middle: the upload ends and says so, and the same command sends it as it
// is then.
func TestUploadFileChanged(t *testing.T) {
	t.Parallel()
	size := 2 * fileSize
	w := newUploadWorld(t, 80*mbit, size)
	log := filepath.Join(t.ArtifactDir(), "seed.log")
	p := w.begin(log, w.tracked()...)
	w.awaitSent(w.sent(), size/4)
	randomFile(t, w.source, size, 10)
	w.fails(p, "changed")
	must(t, p.Restart())
	w.atServer(w.ended(within(t, patience), p).Content)
}

// awaitSent waits until the client has sent n bytes since a count.
func (w *uploadWorld) awaitSent(before int64, n shoal.Size) {
	w.t.Helper()
	for ctx := within(w.t, patience); w.sent()-before < int64(n); time.Sleep(20 * time.Millisecond) {
		if ctx.Err() != nil {
			w.t.Fatalf("after %v %d bytes are sent, want %d", patience, w.sent()-before, n)
		}
	}
}

// onClient runs a command on the client's host.
func (w *uploadWorld) onClient(name string, args ...string) {
	w.t.Helper()
	w.onHost(w.client, name, args...)
}

func (w *uploadWorld) onHost(h *lab.Host, name string, args ...string) {
	w.t.Helper()
	if out, err := h.Command(w.t.Context(), name, args...).CombinedOutput(); err != nil {
		w.t.Fatalf("%s %v: %v: %s", name, args, err, out)
	}
}

// fails waits for an upload that has to fail, with one of the words, which "|" separates, in what it says last.
func (w *uploadWorld) fails(p *lab.Process, words string) {
	w.t.Helper()
	select {
	case <-p.Done():
	case <-time.After(patience):
		tail, _ := p.LogTail(10)
		w.t.Fatalf("after %v it goes on:\n%s", patience, tail)
	}
	tail, err := p.LogTail(2)
	must(w.t, err)
	if p.Err() == nil || !containsAny(tail, words) {
		w.t.Fatalf("ended with %v, want %q in\n%s", p.Err(), words, tail)
	}
	w.t.Logf("the client says: %s", tail)
}

// sentAtMost checks what passed the wire for a file since a count: 2 % more than its bytes in full frames, and for
// each break one request of each connection.
func (w *uploadWorld) sentAtMost(before int64, size shoal.Size, breaks int, u uploaded) {
	w.t.Helper()
	var requests int64
	for _, c := range u.Connections {
		requests += c.Most
	}
	sent, most := w.sent()-before, int64((1.02*float64(size)+float64(breaks)*float64(requests))/wirePayload)
	w.t.Logf("%v on the wire for %v, %v of its bytes again; %d breaks of requests of %v together allow %v", shoal.Size(sent).Short(), size.Short(),
		shoal.Size(u.Resent).Short(), breaks, shoal.Size(requests).Short(), shoal.Size(most).Short())
	if sent > most {
		w.t.Errorf("%d bytes sent, more than %d", sent, most)
	}
}
