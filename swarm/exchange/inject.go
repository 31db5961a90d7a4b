package exchange

import (
	"math/rand/v2"
	"slices"
	"time"
)

// injection is how an origin brings a content into a swarm (BEP 16's idea):
// it shows each piece to one peer, and shows a peer another as its earlier ones
// leave. So every byte of its uplink adds a piece that the swarm lacks, and
// the peers give the copies to each other. When every piece is out the origin
// shows all it has and serves like any other node.
type injection struct {
	phase  []phase // by piece
	giver  []*peer // by piece: who was shown it, until another peer has it too
	hidden []int   // pieces to show, the last one first; may hold some that are out by now
	shown  int     // pieces shown and not sent
	window int     // how many to show at a time, if that is more than one a peer
}

type phase byte

const (
	hidden phase = iota
	shown
	out // it left us, or came into the swarm otherwise
)

// given is what a peer was shown by us as an origin.
type given struct {
	shown []showing
	sole  int           // pieces that only it has
	delay time.Duration // the shortest from a show to the request; 0: unknown
	lazy  time.Time     // it did not fetch what it was shown: show it no more before this
}

type showing struct {
	piece int
	at    time.Time
}

const (
	// maxSole is how many pieces a peer may have, or have been shown, that no
	// other has, and as many again for each soleDelay of its distance, since it
	// takes that longer to be told that they have spread. More would queue behind
	// its uplink while others could have spread them.
	maxSole   = 4
	soleDelay = 20 * time.Millisecond
	// mostDelays bounds the distance that is believed: a peer may also be slow to ask.
	mostDelays = 15
	// showPatience is how long a peer may take to fetch a piece it was shown.
	showPatience = 5 * time.Second
	// idlePatience is how long the uplink may be idle before a piece is shown to
	// a peer all the same: the others may have stopped to fetch.
	idlePatience = 100 * time.Millisecond
	// maxWindow bounds how many pieces are shown to a peer at a time.
	maxWindow = 256
)

func newInjection(pieces int, rng *rand.Rand) *injection {
	return &injection{
		phase:  make([]phase, pieces),
		giver:  make([]*peer, pieces),
		hidden: rng.Perm(pieces),
	}
}

// reveal shows pieces to peers, as many as the window allows, and ends the
// injection when there is nothing left to show.
func (s *State) reveal(now time.Time) {
	j := s.inject
	if j == nil {
		return
	}
	for {
		takers, nearOnly := s.takers(now)
		j.dropStale()
		if takers == 0 || len(j.hidden) == 0 || j.shown >= max(j.window, takers) {
			break
		}
		most := (max(j.window, takers) + takers - 1) / takers
		p := j.choose(s.peers, most, nearOnly, takers > 1 && !s.idle(now), now)
		if p == nil {
			break
		}
		piece := j.hidden[len(j.hidden)-1]
		j.hidden = j.hidden[:len(j.hidden)-1]
		j.phase[piece], j.giver[piece] = shown, p
		p.given.shown = append(p.given.shown, showing{piece, now})
		j.shown++
		s.do(SendHave{Peer: p.id, Piece: piece, Shown: true})
	}
	j.dropStale()
	if len(j.hidden) == 0 && j.shown == 0 {
		s.inject = nil
		for _, p := range s.peers {
			s.do(SendBitfield{Peer: p.id, Set: s.Held()})
		}
	}
}

// idle reports whether the uplink has had nothing to do for a while.
func (s *State) idle(now time.Time) bool {
	return s.slots == 0 && now.Sub(s.served) >= idlePatience
}

// takers counts the peers that are shown pieces. What is shown to another carrier
// comes back over the same lines: nobody there is while those in ours keep the
// uplink busy.
func (s *State) takers(now time.Time) (n int, nearOnly bool) {
	near, far, shown := 0, 0, 0
	for _, p := range s.peers {
		switch {
		case p.has.Full():
		case p.class.cross:
			far++
		default:
			near++
			if g := &p.given; !p.sink.busy || p.sink.slot { // its own downlink does not hold it up
				shown += len(g.shown)
				if g.sole >= g.maxSole() && !now.Before(g.lazy) { // it waits for others to take what it has
					shown++
				}
			}
		}
	}
	if far > 0 && shown >= uploadSlots {
		return near, true
	}
	return near + far, false
}

// dropStale takes pieces off the end of hidden that came out otherwise.
func (j *injection) dropStale() {
	for n := len(j.hidden); n > 0 && j.phase[j.hidden[n-1]] != hidden; n-- {
		j.hidden = j.hidden[:n-1]
	}
}

// choose finds the peer to show a piece to: one in our carrier before one in
// another, then the one with the fewest shown, then with the fewest that only it
// has; and none that has maxSole of those if limitSole is set.
func (j *injection) choose(peers []*peer, most int, nearOnly, limitSole bool, now time.Time) *peer {
	var best *peer
	for _, p := range peers {
		if p.class.cross && (nearOnly || best != nil && !best.class.cross) {
			continue
		}
		g := &p.given
		if p.has.Full() || len(g.shown) >= most || now.Before(g.lazy) || (limitSole && g.sole+len(g.shown) >= g.maxSole()) {
			continue
		}
		if best == nil || best.class.cross && !p.class.cross || len(g.shown) < len(best.given.shown) ||
			len(g.shown) == len(best.given.shown) && g.sole < best.given.sole {
			best = p
		}
	}
	return best
}

// maxSole is how many pieces the peer may have, or have been shown, that no other
// has.
func (g *given) maxSole() int { return maxSole * int(1+min(g.delay/soleDelay, mostDelays)) }

// asked notes that p requests a piece.
func (j *injection) asked(piece int, p *peer, now time.Time) {
	for _, x := range p.given.shown {
		if d := now.Sub(x.at); x.piece == piece && (p.given.delay == 0 || d < p.given.delay) {
			p.given.delay = d
		}
	}
}

// left notes that a whole piece was sent to p, or cannot be.
func (j *injection) left(piece int, p *peer) {
	switch j.phase[piece] {
	case shown:
		if j.giver[piece] != p {
			return
		}
		j.unshow(piece, p)
	case hidden:
		j.giver[piece] = p
	case out:
		return
	}
	j.phase[piece] = out
	p.given.sole++
}

// spread notes that p has a piece.
func (j *injection) spread(piece int, p *peer) {
	giver := j.giver[piece]
	switch {
	case j.phase[piece] == hidden:
	case giver == p && j.phase[piece] == shown:
		// Its HAVE overtook our own BlockSent.
		j.left(piece, p)
		return
	case giver == p || giver == nil:
		return
	case j.phase[piece] == shown:
		j.unshow(piece, giver)
	default:
		giver.given.sole--
	}
	j.phase[piece], j.giver[piece] = out, nil
}

func (j *injection) unshow(piece int, p *peer) {
	p.given.shown = slices.DeleteFunc(p.given.shown, func(x showing) bool { return x.piece == piece })
	j.shown--
}

// forget takes back what p was shown, and what it alone had.
func (j *injection) forget(p *peer) {
	for piece, giver := range j.giver {
		if giver != p {
			continue
		}
		if j.phase[piece] == shown {
			j.shown--
		}
		j.phase[piece], j.giver[piece] = hidden, nil
		j.hidden = append(j.hidden, piece)
	}
	p.given = given{}
}

// widen shows more at a time where the uplink fell idle, since what is shown
// does not cover the time that requests take to come, and less where requests
// queue up.
func (j *injection) widen(s *State, now time.Time) {
	queued := s.slots
	for _, p := range s.peers {
		queued += len(p.sink.queue)
	}
	takers, _ := s.takers(now)
	window := max(j.window, takers)
	switch {
	case queued == 0 && len(j.hidden) > 0:
		j.window = min(2*window, takers*maxWindow)
	case queued > max(takers, uploadSlots):
		j.window = window - 1
	}
}

// tick takes pieces back from peers that don't fetch them.
func (j *injection) tick(s *State, now time.Time) {
	for _, p := range s.peers {
		g := &p.given
		if len(g.shown) == 0 || now.Sub(g.shown[0].at) < showPatience || p.sink.busy || len(p.sink.queue) > 0 {
			continue
		}
		for _, x := range g.shown {
			j.phase[x.piece], j.giver[x.piece] = hidden, nil
			j.hidden = append(j.hidden, x.piece)
			j.shown--
		}
		g.shown, g.lazy = nil, now.Add(showPatience)
	}
}
