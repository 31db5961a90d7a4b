package fallback

import (
	"sync"
	"sync/atomic"
	"time"
)

// lane is what ranges come by one after the other: one TCP or QUIC connection, with a
// congestion window of its own. Where the upstream speaks HTTP/2 or HTTP/3 it has several conns, so
// that the next range is asked for while the one before is still coming, and the
// sender never has to wait: ranges on connections of their own would each begin
// slowly. Over HTTP/1.1 each of them has a connection.
type lane struct {
	// The loop's.
	conns []*conn
	rate  float64   // while the latest range came, of all that came, bytes a second; 0: not known
	pulse pulse     // of bytes
	by    Transport // of a trial; "": the upstream's route decides
	spent bool      // nothing begins on it any more

	got atomic.Int64 // bytes

	mu   sync.Mutex
	link *link // nil: none
}

// idle reports whether nothing is under way.
func (l *lane) idle() bool {
	for _, c := range l.conns {
		if c.busy() {
			return false
		}
	}
	return true
}

// current is the link, where one is open that goes by t and has brought an answer.
func (l *lane) current(t Transport) *link {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.link == nil || !l.link.answered.Load() || l.link.how.transport != t {
		return nil
	}
	return l.link
}

// rtt is the round-trip time of the connection; 0: not known.
func (l *lane) rtt() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.link == nil {
		return 0
	}
	return time.Duration(l.link.rtt.Load())
}

// pace is at how many bytes a second the lane brings them now; until that is known, while the
// latest range came. 0: neither is.
func (l *lane) pace(now time.Time) float64 {
	if rate, ok := l.pulse.rate(now, l.got.Load(), patience(l.rtt())); ok {
		return rate
	}
	return l.rate
}

// serves reports whether what was made by h does for a range that goes by other, which may have
// another bound on connecting: that has begun.
func (h how) serves(other how) bool {
	h.connect = other.connect
	return h == other
}

// use is the link for a range that goes by h: one that is there, or what open makes.
// The caller leaves it.
func (l *lane) use(h how, open func() *link) *link {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.link != nil && !l.link.how.serves(h) {
		l.link.retire()
		l.link = nil
	}
	if l.link == nil {
		l.link = open()
	}
	l.link.users++
	return l.link
}

// leave ends the use of a link; where it is of no further use, nobody begins another.
func (l *lane) leave(k *link, useless bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k.users--
	if useless && l.link == k {
		l.link = nil
	}
	if l.link != k {
		k.retire()
	}
}

// close ends the connection once nothing is under way on it.
func (l *lane) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.link != nil {
		l.link.retire()
		l.link = nil
	}
}
