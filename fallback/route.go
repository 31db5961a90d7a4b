package fallback

import "time"

// Transport carries HTTP.
type Transport string

const (
	TCP  Transport = "tcp"  // HTTP/1.1, or HTTP/2 where there is nothing else
	QUIC Transport = "quic" // HTTP/3
)

const (
	// maxStalls is after how many silences in a row TCP is given up although
	// it still connects: something on the path lets only that pass.
	maxStalls = 3
	// otherAgain is how long the other transport is left alone at first.
	otherAgain    = 10 * time.Second
	maxOtherAgain = 16 * otherAgain
	// quicAgain is how long HTTP/3 is left alone that was found to be no faster than TCP.
	quicAgain = 5 * time.Minute
	// clearly is how many times as much as TCP HTTP/3 must bring, at the same time, to be taken: it
	// costs several times the CPU, and two connections have more of a busy sender than one.
	clearly = 1.5
	// aliveFor is how long after something came over TCP it is believed to work.
	aliveFor = time.Second
)

// route is which transport an upstream is reached by.
type route struct {
	current Transport
	http3   bool // the upstream is known to have it, or likely to
	http2   bool // over TCP it speaks nothing else

	stalls   int       // silences in a row, on TCP
	alive    time.Time // when something last came over TCP
	quicFrom time.Time // when HTTP/3 may be used again
	tryFrom  time.Time // when the other transport may be tried
	tcpWait  time.Duration
	rate     map[Transport]float64 // of one connection, bytes a second
}

func newRoute(http3 bool) route {
	return route{current: TCP, http3: http3, rate: map[Transport]float64{}, tcpWait: otherAgain}
}

// canTakeOver reports whether HTTP/3 stands ready behind TCP.
func (r *route) canTakeOver(now time.Time) bool { return r.http3 && !now.Before(r.quicFrom) }

// other is the transport that may be tried now, beside the current one; "": none.
func (r *route) other(now time.Time) Transport {
	switch {
	case now.Before(r.tryFrom):
		return ""
	case r.current == QUIC:
		return TCP
	case r.canTakeOver(now):
		return QUIC
	}
	return ""
}

// better is the transport to take where both brought so much at the same time.
func better(tcp, quic float64) Transport {
	if quic > clearly*tcp {
		return QUIC
	}
	return TCP
}

// compared notes which transport was the better one, and reports whether that is another one than
// so far.
func (r *route) compared(now time.Time, better Transport) (moved bool) {
	switch {
	case better == r.current:
		r.notBetter(now)
		return false
	case better == QUIC:
		r.leaveTCP(now)
	default:
		r.current, r.stalls = TCP, 0
		r.tryFrom = now.Add(quicAgain)
	}
	return true
}

// notBetter notes that the other transport is of no use for now.
func (r *route) notBetter(now time.Time) {
	if r.current == QUIC {
		r.waitForTCP(now)
	} else {
		r.tryFrom = now.Add(quicAgain)
	}
}

// leaveTCP has HTTP/3 take over.
func (r *route) leaveTCP(now time.Time) {
	r.current, r.stalls = QUIC, 0
	r.waitForTCP(now)
}

func (r *route) waitForTCP(now time.Time) {
	r.tryFrom = now.Add(r.tcpWait)
	r.tcpWait = min(2*r.tcpWait, maxOtherAgain)
}

// bounds are how long a request over t may take to connect and be silent. Over
// TCP they are short while HTTP/3 could take over, but longer after each
// silence that a new connection ended: then it was the server that waited. rtt is the
// upstream's; 0: not known.
func (r *route) bounds(now time.Time, t Transport, rtt time.Duration, l *Limits) (connect, stall time.Duration) {
	if t == QUIC || !r.canTakeOver(now) {
		return l.Connect, l.Stall
	}
	connect = l.ConnectTCP
	if r.stalls > 0 {
		connect = min(connect, l.StallTCP) // together they are the time that HTTP/3 has to wait
	}
	return min(connect, l.Connect), min(l.stallTCP(rtt)<<r.stalls, l.Stall)
}

// failed notes a failure over t. again: the next attempt goes another way, and
// the upstream is not to blame yet.
func (r *route) failed(now time.Time, t Transport, kind faultKind) (again bool) {
	switch {
	case t == TCP && kind == protocol && !r.http2:
		r.http2 = true
		return true
	case kind != unreachable && kind != stalled:
		return false
	case t != r.current: // a straggler
		return true
	case t == QUIC:
		r.current, r.stalls = TCP, 0
		r.quicFrom = now.Add(otherAgain)
		return false
	case !r.canTakeOver(now):
		return false
	case kind == unreachable && now.Sub(r.alive) < aliveFor:
		return true // a lost SYN: others get through
	case kind == stalled:
		if r.stalls++; r.stalls < maxStalls {
			return true
		}
	}
	r.leaveTCP(now)
	return true
}

// finished notes a range that came over t at a rate in bytes a second.
func (r *route) finished(t Transport, rate float64) {
	if old, ok := r.rate[t]; ok {
		rate = (3*old + rate) / 4
	}
	r.rate[t] = rate
	if t == r.current {
		r.stalls = 0
	}
}

// heard notes that something came over TCP.
func (r *route) heard(now time.Time) { r.alive = now }

// offered notes that the upstream has HTTP/3.
func (r *route) offered() { r.http3 = true }
