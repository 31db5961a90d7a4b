package lan

import (
	"math/rand/v2"
	"net/netip"
	"time"

	"golang.org/x/time/rate"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/swarm"
)

// Packets of all nodes of a link together, where 200 look for one content at
// once; a query or "enough" on one interface is three packets.
const (
	BudgetStart  = 1500 // in the first minute
	BudgetMinute = 700  // in every later one
)

const (
	enoughAnswers = 8                      // to one query
	answerWindow  = 100 * time.Millisecond // an answer waits at random within it
	waitAnswers   = 5 * time.Second        // for which answers to a query count
	replayTime    = time.Minute            // for which a nonce is not taken again
	maxSeen       = 4096                   // nonces of others remembered
	maxPending    = 256                    // answers that wait
	maxSearches   = 1024                   // contents looked for
)

// engine decides whom to ask and answer. It does no I/O: times are parameters,
// and what is to be done gathers in out and found until it is taken. It is not
// safe for concurrent use.
type engine struct {
	self   publicKey
	rng    *rand.Rand
	holds  func(shoal.ContentID) (have, total int, ok bool)
	onLink func(netip.Addr) bool // an address is on one of this node's own links

	endpoints []endpoint // own
	searches  map[shoal.ContentID]*trickle
	asked     map[nonce]*asking // own queries that may be answered
	seen      map[nonce]time.Time
	pending   map[nonce]pending // answers to be sent
	peers     peers
	swept     time.Time

	received   *rate.Limiter
	receivedOf *buckets[netip.Addr]
	sent       *rate.Limiter
	answered   *buckets[shoal.ContentID]
	answeredTo *buckets[netip.Addr]

	out   []outgoing
	found []discovery
}

// outgoing is a message to be sent: out of every interface where to is zero.
type outgoing struct {
	to  netip.AddrPort
	msg message
}

// discovery is a peer of a content that is looked for.
type discovery struct {
	content shoal.ContentID
	peer    swarm.Peer
}

type asking struct {
	content shoal.ContentID
	answers int
	until   time.Time
}

type pending struct {
	to      netip.AddrPort
	asker   publicKey
	content shoal.ContentID
	at      time.Time
}

func newEngine(self publicKey, rng *rand.Rand, holds func(shoal.ContentID) (int, int, bool), onLink func(netip.Addr) bool) *engine {
	return &engine{
		self: self, rng: rng, holds: holds, onLink: onLink,
		searches:   make(map[shoal.ContentID]*trickle),
		asked:      make(map[nonce]*asking),
		seen:       make(map[nonce]time.Time),
		pending:    make(map[nonce]pending),
		peers:      make(peers),
		received:   rate.NewLimiter(receiveRate, receiveBurst),
		receivedOf: newBuckets[netip.Addr](receiveSourceRate, receiveSourceBurst),
		sent:       rate.NewLimiter(sendRate, sendBurst),
		answered:   newBuckets[shoal.ContentID](answerRate, answerBurst),
		answeredTo: newBuckets[netip.Addr](answerSourceRate, answerSourceBurst),
	}
}

// search begins to look for a content, and returns whom it knows already. It is
// false where too many contents are looked for.
func (e *engine) search(id shoal.ContentID, now time.Time) (known []swarm.Peer, ok bool) {
	if e.searches[id] == nil {
		if len(e.searches) >= maxSearches {
			return nil, false
		}
		e.searches[id] = newTrickle(now, e.rng)
	}
	return e.peers.of(id, now), true
}

// stop ends the search for a content.
func (e *engine) stop(id shoal.ContentID) { delete(e.searches, id) }

// hint says that somebody announced a content, named by its truncated ID.
func (e *engine) hint(truncated [20]byte, now time.Time) {
	for id, s := range e.searches {
		if id.Truncated() == truncated {
			s.hint(now)
		}
	}
}

// moved says that there are other links than before: there may be somebody new.
func (e *engine) moved(now time.Time) {
	for _, s := range e.searches {
		s.hint(now)
	}
}

// next is when tick is to be called; zero: not before something else happens.
func (e *engine) next() time.Time {
	var first time.Time
	sooner := func(t time.Time) {
		if first.IsZero() || t.Before(first) {
			first = t
		}
	}
	for _, s := range e.searches {
		sooner(s.next())
	}
	for _, p := range e.pending {
		sooner(p.at)
	}
	return first
}

// tick does what is due.
func (e *engine) tick(now time.Time) {
	for id, s := range e.searches {
		if s.due(now, e.peers.holder(id, now)) {
			e.ask(id, now)
		}
	}
	for n, p := range e.pending {
		if !now.Before(p.at) {
			delete(e.pending, n)
			m := e.about(p.content)
			m.kind, m.nonce = answer, n
			if m.have > 0 {
				e.send(outgoing{to: p.to, msg: m}, now)
			}
		}
	}
	if now.Sub(e.swept) >= sweepPeersPeriod {
		e.swept = now
		e.sweep(now)
	}
}

func (e *engine) sweep(now time.Time) {
	e.peers.sweep(now)
	for n, until := range e.seen {
		if !now.Before(until) {
			delete(e.seen, n)
		}
	}
	for n, a := range e.asked {
		if !now.Before(a.until) {
			delete(e.asked, n)
		}
	}
}

// take returns what is to be done, and forgets it.
func (e *engine) take() (out []outgoing, found []discovery) {
	out, found = e.out, e.found
	e.out, e.found = nil, nil
	return out, found
}
