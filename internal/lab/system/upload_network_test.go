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

// The client's cable is pulled in the middle, until the client notices that nothing moves: the upload goes on, and sends
// again only what was under way (R3).
func TestUploadCablePulled(t *testing.T) {
	t.Parallel()
	// 17 s are usual: that nothing moves is noticed after 15.
	interruptUpload(t, 80*time.Second, func(w *uploadWorld, p *lab.Process) {
		before := len(logOf(t, p))
		ip(t, w.client, "link", "set", "eth0", "down")
		awaitLog(t, p, before, "nothing was taken for too long")
		ip(t, w.client, "link", "set", "eth0", "up")
	})
}

// The client gets another address in the middle, as a laptop does in another network, and does not wait for what was
// sent from the old one (R3).
func TestUploadOtherNetwork(t *testing.T) {
	t.Parallel()
	// 1 s is usual; that nothing moves is noticed after 15.
	interruptUpload(t, 10*time.Second, func(w *uploadWorld, p *lab.Process) {
		old, bits := w.client.Addr(), w.carrier.Network().Bits()
		other := old.As4()
		other[3] += 100
		before := len(logOf(t, p))
		ip(t, w.client, "addr", "del", netip.PrefixFrom(old, bits).String(), "dev", "eth0")
		ip(t, w.client, "addr", "add", netip.PrefixFrom(netip.AddrFrom4(other), bits).String(), "dev", "eth0")
		awaitLog(t, p, before, "this machine has another address now")
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

// interruptUpload breaks an upload off after a third, and checks how soon the client has noticed and gone on,
// counted from the break, and what it sends.
func interruptUpload(t *testing.T, soon time.Duration, interrupt func(*uploadWorld, *lab.Process)) {
	t.Helper()
	size := 4 * fileSize
	w := newUploadWorld(t, 80*mbit, size)
	before := w.sent()
	p := w.begin(filepath.Join(t.ArtifactDir(), "seed.log"), w.tracked()...)
	w.awaitSent(before, size/3)
	began := time.Now()
	interrupt(w, p)
	noticed := time.Since(began)
	w.awaitSent(w.sent(), size/16)
	took := time.Since(began)
	t.Logf("noticed after %.1f s, went on after %.1f s", noticed.Seconds(), took.Seconds())
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
// each break one request of each connection, which is also the most that the client may send again.
func (w *uploadWorld) sentAtMost(before int64, size shoal.Size, breaks int, u uploaded) {
	w.t.Helper()
	var requests, failed int64
	for _, c := range u.Connections {
		requests += c.Most
		failed += c.Failures
	}
	again := int64(breaks) * requests
	sent, most := w.sent()-before, int64((1.02*float64(size)+float64(again))/wirePayload)
	w.t.Logf("%v on the wire for %v, %v of its bytes again after %d requests failed; %d breaks of requests of %v together allow %v", shoal.Size(sent).Short(),
		size.Short(), shoal.Size(u.Resent).Short(), failed, breaks, shoal.Size(requests).Short(), shoal.Size(most).Short())
	if sent > most {
		w.t.Errorf("%d bytes sent, more than %d", sent, most)
	}
	if u.Resent > again {
		w.t.Errorf("%d bytes sent again after %d requests failed, more than %d", u.Resent, failed, again)
	}
}
