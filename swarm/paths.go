package swarm

import (
	"cmp"
	"context"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/swarm/transport"
)

// PathStat is what this node sees, as the sender, of the way from one carrier to
// another: all of its connections to peers there together.
type PathStat struct {
	From, To string        // carriers; From is where this end of the connections is
	Bytes    int64         // acknowledged so far, TLS and the muxer's headers included
	RTT      time.Duration // smoothed, the least of late; 0: unknown
	// Loss is the share of bytes that were sent again, Goodput the rate while the
	// connections were busy, both of late. Where Goodput is 0 neither is known.
	Loss    float64
	Goodput shoal.Rate
}

// Paths returns what is known of the ways to other carriers, at most 64, in the
// order of From and To. It is at most 5 s old, and changes only as often.
func (h *Hub) Paths() []PathStat { return h.paths.stats() }

const (
	maxPaths       = 64
	pathInterval   = time.Second      // between two readings of the counters
	pathPublish    = 5                // intervals after which what stats returns is made anew
	pathIntervals  = 10               // intervals that "of late" is
	pathMemory     = 30 * time.Second // after which what was measured is no longer known
	pathWorthwhile = 64 << 10         // bytes in an interval that tell of more than the RTT: requests alone keep no path busy
)

// sender is a [transport.Path].
type sender interface {
	comparable
	Counters() (c transport.Counters, open bool)
}

type carriers struct{ from, to string }

func (a carriers) compare(b carriers) int {
	return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to))
}

// paths sums up the connections between carriers. It is safe for concurrent use.
type paths[S sender] struct {
	mu        sync.Mutex
	conns     map[S]*pathConn
	lines     map[carriers]*line
	sampled   time.Time
	samples   int
	published []PathStat
}

type pathConn struct {
	carriers
	last transport.Counters
}

func newPaths[S sender]() *paths[S] {
	return &paths[S]{conns: make(map[S]*pathConn), lines: make(map[carriers]*line)}
}

// watch counts a connection until it is closed. One that is watched already is
// counted for these carriers from now on; unless they are two, not any more.
func (p *paths[S]) watch(conn S, from, to string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	between := carriers{from, to}
	if from == "" || to == "" || from == to || p.lines[between] == nil && len(p.lines) >= maxPaths && !p.evict() {
		delete(p.conns, conn)
		return
	}
	if p.lines[between] == nil {
		p.lines[between] = &line{}
	}
	if c := p.conns[conn]; c != nil {
		c.carriers = between
		return
	}
	p.conns[conn] = &pathConn{carriers: between}
}

// evict makes room by forgetting the line that moved the least, of those without
// connections. Peers say themselves in which carrier they are.
func (p *paths[S]) evict() bool {
	used := make(map[carriers]bool)
	for _, c := range p.conns {
		used[c.carriers] = true
	}
	least, found := carriers{}, false
	for k, l := range p.lines {
		if !used[k] && (!found || l.bytes < p.lines[least].bytes) {
			least, found = k, true
		}
	}
	delete(p.lines, least)
	return found
}

func (p *paths[S]) run(ctx context.Context) {
	tick := time.NewTicker(pathInterval)
	defer tick.Stop()
	for {
		p.sample(time.Now())
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// sample reads the counters of all connections.
func (p *paths[S]) sample(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	elapsed := now.Sub(p.sampled)
	p.sampled = now
	sums := make(map[carriers]*interval)
	for conn, c := range p.conns {
		counted, open := conn.Counters()
		if sums[c.carriers] == nil {
			sums[c.carriers] = &interval{}
		}
		sums[c.carriers].add(c.last, counted, elapsed)
		c.last = counted
		if !open {
			delete(p.conns, conn)
		}
	}
	for k, sum := range sums {
		sum.busy = min(sum.busy, elapsed)
		p.lines[k].take(*sum, now)
	}
	if p.samples++; p.samples%pathPublish != 1 {
		return
	}
	p.published = nil // replaced, never changed: callers have the old one
	for _, k := range slices.SortedFunc(maps.Keys(p.lines), carriers.compare) {
		s := p.lines[k].stat(now)
		s.From, s.To = k.from, k.to
		p.published = append(p.published, s)
	}
}

func (p *paths[S]) stats() []PathStat {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.published
}

// interval is what the connections over a line did between two readings.
type interval struct {
	at                  time.Time
	acked, sent, resent int64         // bytes
	busy                time.Duration // the sum of the connections', but never longer than the interval
	rtt                 time.Duration // the least smoothed one; 0: unknown
}

// add counts what one connection did between two readings of its counters.
func (i *interval) add(old, cur transport.Counters, elapsed time.Duration) {
	acked := max(0, cur.Acked-old.Acked)
	i.acked += acked
	i.sent += max(0, cur.Sent-old.Sent)
	i.resent += max(0, cur.Resent-old.Resent)
	switch busy := cur.Busy - old.Busy; {
	case busy > 0:
		i.busy += busy
	case acked >= pathWorthwhile: // it does not tell
		i.busy = elapsed
	}
	if acked > 0 && cur.RTT > 0 && (i.rtt == 0 || cur.RTT < i.rtt) {
		i.rtt = cur.RTT
	}
}

// line is what is known of the way between two carriers.
type line struct {
	bytes int64
	trips []interval // the newest that tell the RTT
	rates []interval // the newest that tell loss and goodput
}

func (l *line) take(i interval, now time.Time) {
	i.at = now
	l.bytes += i.acked
	if i.rtt > 0 {
		l.trips = newest(l.trips, i)
	}
	if i.acked >= pathWorthwhile && i.busy > 0 {
		l.rates = newest(l.rates, i)
	}
}

// newest adds an interval and forgets those that are no longer of late.
func newest(list []interval, i interval) []interval {
	list = append(list, i)
	return slices.Delete(list, 0, max(0, len(list)-pathIntervals))
}

// stat is all but the names of the carriers.
func (l *line) stat(now time.Time) PathStat {
	s := PathStat{Bytes: l.bytes}
	known := func(list []interval) bool {
		return len(list) > 0 && now.Sub(list[len(list)-1].at) <= pathMemory
	}
	if known(l.trips) {
		s.RTT = time.Duration(math.MaxInt64)
		for _, i := range l.trips {
			s.RTT = min(s.RTT, i.rtt)
		}
	}
	if known(l.rates) {
		var sum interval
		for _, i := range l.rates {
			sum.acked += i.acked
			sum.sent += i.sent
			sum.resent += i.resent
			sum.busy += i.busy
		}
		s.Goodput = shoal.Rate(float64(sum.acked) / sum.busy.Seconds())
		s.Loss = min(1, float64(sum.resent)/float64(max(sum.sent, 1)))
	}
	return s
}
