package swarm

import (
	"cmp"
	"crypto/sha256"
	"slices"
	"time"

	"github.com/shoal-cdn/shoal"
)

// Bounds on whom a swarm knows and talks to.
const (
	maxKnown = 2000 // peers remembered
	maxHints = 1000 // peers remembered beyond which no more are taken from peers
	maxPeers = 64   // connections that this side opens up to
	// neighbours is how many peers that lack pieces a node has before it stops
	// to open connections to such, and mostNeighbours how many it has before it lets
	// some go that others opened: more cost HAVEs and wake-ups, and what is asked of all
	// of them fills its own downlink for seconds (docs/adr/0009, 0015). Neither holds
	// where there are several carriers, whose members must know each other, nor for
	// a node that gets nowhere with those it has.
	neighbours     = 10
	mostNeighbours = 12
	maxInbound     = 160 // connections beyond which new ones are refused
	maxDials       = 16  // dials under way
)

const (
	firstRetry = time.Second // after a failed dial, doubled each time
	maxRetry   = time.Minute
	quarantine = 10 * time.Minute // after corrupt data or a broken protocol
	stallPause = time.Minute      // after a stall
	// politeness is longer than it takes to connect on a far path, five round trips,
	// while both machines have many to connect to.
	politeness = 600 * time.Millisecond
	// roundTime is how long a round of dials lasts. In each, a node dials half as many
	// needy peers as it may have: meanwhile others connect to it.
	roundTime     = 3 * time.Second
	dialTimeout   = 10 * time.Second
	maxPeerAddrs  = 16
	rosterRefresh = 100 * time.Millisecond // how often the loop plans dials
	settled       = 10 * time.Second       // a connection that lasts so long was worth its dial
)

// roster is who may be in the swarm: it decides whom to dial when. It does no
// I/O and is used by the event loop only.
type roster struct {
	self    shoal.NodeID
	known   map[shoal.NodeID]*contact
	dials   int
	carrier string    // that this node or some peer is in
	mixed   bool      // others are in another
	round   time.Time // when the last round began
	opened  int       // connections to needy peers that were begun in it
	starved bool      // nobody who is connected has had anything to give for a while
}

type contact struct {
	Peer
	next     time.Time // not dialled before this
	failures int       // dials since a connection that lasted
	dialling bool
	banned   time.Time // not talked to before this
}

func newRoster(self shoal.NodeID) *roster {
	return &roster{self: self, known: make(map[shoal.NodeID]*contact)}
}

// hint learns of a peer from another one, which may be wrong: it changes
// nothing that is known to be good, and leaves room for those that are added. A
// peer that could not be reached may be elsewhere by now.
func (r *roster) hint(p Peer, now time.Time) {
	k := r.known[p.ID]
	switch {
	case k == nil && len(r.known) < maxHints, k != nil && len(k.Addrs) == 0:
		r.add(p, now)
	case k != nil && k.failures > 0 && !k.dialling && len(p.Addrs) > 0:
		k.Addrs = slices.Clone(p.Addrs[:min(len(p.Addrs), maxPeerAddrs)])
	}
}

// add learns of a peer, or of its new addresses.
func (r *roster) add(p Peer, now time.Time) {
	if p.ID == r.self {
		return
	}
	p.Addrs = p.Addrs[:min(len(p.Addrs), maxPeerAddrs)]
	r.place(p.Carrier)
	if k := r.known[p.ID]; k != nil {
		if p.Name == "" {
			p.Name, p.Locality = k.Name, k.Locality
		}
		k.Peer = p
		return
	}
	if len(r.known) >= maxKnown && !r.evict(now) {
		return
	}
	k := &contact{Peer: p, next: now}
	// Both sides learn of each other at about the same time. One waits, so
	// that there is seldom a second connection to be closed again.
	if !p.Seed && !r.begins(p.ID) {
		k.next = now.Add(politeness)
	}
	r.known[p.ID] = k
}

// begins says which of two nodes is the first to dial the other. Each has about
// half of its peers to begin with, whatever its ID: what a node receives grows with
// its connections, so none must have only those that it opened itself.
func (r *roster) begins(id shoal.NodeID) bool {
	pair := sha256.Sum256([]byte(min(r.self, id) + max(r.self, id)))
	return pair[0]&1 == 0 == (r.self < id)
}

// place learns that this node or some peer is in a carrier; "": nobody knows which.
func (r *roster) place(carrier string) {
	r.mixed = r.mixed || carrier != "" && r.carrier != "" && carrier != r.carrier
	r.carrier = cmp.Or(r.carrier, carrier)
}

// evict makes room by forgetting somebody who could not be reached and is not
// kept away.
func (r *roster) evict(now time.Time) bool {
	for id, k := range r.known {
		if k.failures > 0 && !k.dialling && !now.Before(k.banned) {
			delete(r.known, id)
			return true
		}
	}
	return false
}

func (r *roster) name(id shoal.NodeID) string {
	if k := r.known[id]; k != nil {
		return k.Name
	}
	return ""
}

// plan chooses the peers to dial now, given who is connected. They count as
// being dialled until dialled is called.
func (r *roster) plan(now time.Time, connected func(shoal.NodeID) bool, connections int) []Peer {
	full := func() bool { return r.dials >= maxDials || connections+r.dials >= maxPeers }
	if full() {
		return nil
	}
	limited := r.limited()
	room := r.room(now, r.needy(connected, connections))
	var out []Peer
	for id, k := range r.known {
		if full() {
			break
		}
		if k.dialling || len(k.Addrs) == 0 || now.Before(k.next) || now.Before(k.banned) || connected(id) {
			continue
		}
		if !k.Seed {
			if limited && room <= 0 {
				continue
			}
			room--
			r.opened++
		}
		k.dialling = true
		r.dials++
		out = append(out, k.Peer)
	}
	return out
}

// limited reports whether the bounds on neighbours hold.
func (r *roster) limited() bool { return !r.mixed && !r.starved }

// needy counts the peers that lack pieces and are connected or being dialled. Those
// that are connected and that nobody has told of yet lack some, most likely: holders
// are in every handout.
func (r *roster) needy(connected func(shoal.NodeID) bool, connections int) int {
	n := connections
	for id, k := range r.known {
		switch up := connected(id); {
		case up && k.Seed:
			n--
		case !up && k.dialling && !k.Seed:
			n++
		}
	}
	return n
}

// room is how many more needy peers may be dialled now, where there are so many.
func (r *roster) room(now time.Time, needy int) int {
	if now.Sub(r.round) >= roundTime {
		r.round, r.opened = now, 0
	}
	return min(neighbours-needy, neighbours/2-r.opened)
}

// take has one peer dialled now, whatever the plan: nobody else can connect the
// two. ok is false where it is being dialled, kept away, or has no address.
func (r *roster) take(id shoal.NodeID, now time.Time) (p Peer, ok bool) {
	k := r.known[id]
	if k == nil || k.dialling || len(k.Addrs) == 0 || now.Before(k.banned) || r.dials >= maxDials {
		return Peer{}, false
	}
	k.dialling = true
	r.dials++
	return k.Peer, true
}

// dialled notes that a dial has ended, well or not: a peer may also refuse
// the connection once it is made.
func (r *roster) dialled(id shoal.NodeID, now time.Time) {
	k := r.known[id]
	r.dials--
	k.dialling = false
	k.next = now.Add(min(firstRetry<<k.failures, maxRetry))
	k.failures = min(k.failures+1, 10)
}

// left notes that a connection to a peer has ended.
func (r *roster) left(id shoal.NodeID, after time.Duration) {
	if k := r.known[id]; k != nil && after >= settled {
		k.failures = 0
	}
}

// ban keeps a peer away for a while.
func (r *roster) ban(id shoal.NodeID, now time.Time, pause time.Duration) {
	k := r.known[id]
	if k == nil {
		if len(r.known) >= maxKnown && !r.evict(now) {
			return
		}
		k = &contact{Peer: Peer{ID: id}}
		r.known[id] = k
	}
	k.banned = now.Add(pause)
}

func (r *roster) bannedAt(id shoal.NodeID, now time.Time) bool {
	k := r.known[id]
	return k != nil && now.Before(k.banned)
}
