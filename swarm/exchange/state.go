package exchange

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/swarm/picker"
)

// Config describes a node's part in a swarm.
type Config struct {
	Self        shoal.NodeID
	Carrier     string              // that it is in; "": unknown
	Held        *shoal.PieceSet     // pieces that are here at the start; the state keeps a copy
	PieceLength int                 // bytes
	PieceSize   func(piece int) int // bytes; at most PieceLength
	Starts      *shoal.PieceSet     // first pieces of files, where claims must not reach over; nil: there is one file
	// Origin makes the node show its pieces one by one until each has left it
	// once. It must hold all of them.
	Origin bool
	Rand   *rand.Rand // the only source of chance
}

// State is one node's view of a swarm. It is not safe for concurrent use.
type State struct {
	cfg   Config
	pick  *picker.Picker
	peers []*peer // in the order they joined: ranging over it is deterministic
	byID  map[shoal.NodeID]*peer

	expected   int64         // bytes of the pieces that are asked for: their buffers are there from the beginning
	verifying  map[int]class // pieces handed to Verify and not answered, and who sent them
	claims     claims        // what is fetched from outside
	behind     bool          // others have more pieces
	slots      int           // uploads that occupy a slot
	blockTime  ewma          // seconds from a SendBlock to its BlockSent
	pieceTime  ewma          // seconds between two requests served
	served     time.Time     // when the last request was served
	refused    []refusal     // requests that could not be read, the oldest first
	waking     waking
	carrier    carrier
	foreign    []*foreign // carriers that peers are in besides ours
	avoidCross bool       // peers in other carriers are asked for nothing
	inject     *injection // nil but for an origin that has not given every piece yet
	bytes      Bytes
	sent       int64

	actions []Action
}

// peer is what is known of one connected peer.
type peer struct {
	id    shoal.NodeID
	class class
	has   *shoal.PieceSet // it told us
	met   bool            // it has told us all that it has
	lead  int             // pieces that it had more than we then; 0 where those were few

	presumed bool // class is by others' word: it has said nothing yet

	denied map[int]bool // pieces that it rejected; nil: none

	member  member   // of our carrier
	foreign *foreign // the carrier it is in; nil: ours
	dry     uint64   // of pickAcross: the state in which it had nothing for us; 0: it may have
	source  source   // we request from it
	sink    sink     // it requests from us
	given   given    // we are an origin and show it pieces
}

// New returns the state of a node that has no peers yet.
func New(cfg Config) *State {
	if cfg.Starts == nil {
		cfg.Starts = shoal.NewPieceSet(cfg.Held.Len())
	}
	s := &State{cfg: cfg, pick: picker.New(cfg.Held, cfg.Rand),
		byID: make(map[shoal.NodeID]*peer), verifying: make(map[int]class), claims: newClaims(),
		carrier: newCarrier(cfg)}
	if cfg.Origin && cfg.Held.Full() {
		s.inject = newInjection(cfg.Held.Len(), cfg.Rand)
	}
	return s
}

// Handle applies an event. The returned slice is valid until the next call.
func (s *State) Handle(now time.Time, ev Event) []Action {
	s.actions = s.actions[:0]
	ev.apply(s, now)
	return s.actions
}

func (s *State) do(a Action) { s.actions = append(s.actions, a) }

// Held is the set of pieces that are here. The caller must not change it.
func (s *State) Held() *shoal.PieceSet { return s.pick.Held() }

// Bytes returns what was received so far, by source.
func (s *State) Bytes() Bytes { return s.bytes }

// Sent returns the payload bytes handed to the network so far.
func (s *State) Sent() int64 { return s.sent }

// Busy reports whether time matters now: something is under way that a Tick may
// have to move on. While it is false a Tick now and then is enough.
func (s *State) Busy() bool {
	if s.expected > 0 || len(s.verifying) > 0 || len(s.refused) > 0 || s.inject != nil && len(s.peers) > 0 ||
		len(s.claims.pieces) > 0 && len(s.peers) > 0 {
		return true
	}
	for _, p := range s.peers {
		if p.sink.busy || len(p.sink.queue) > 0 {
			return true
		}
	}
	return false
}

// Useless reports whether neither side of a connection can ever want anything
// of the other again.
func (s *State) Useless(id shoal.NodeID) bool {
	p := s.byID[id]
	return p != nil && s.inject == nil && s.Held().Full() && p.has.Full()
}

// Peers is the number of connected peers.
func (s *State) Peers() int { return len(s.peers) }

func (e PeerJoined) apply(s *State, now time.Time) {
	if s.byID[e.Peer] != nil {
		return
	}
	p := &peer{id: e.Peer, class: class{origin: e.Origin, cross: e.Carrier != ""}, has: shoal.NewPieceSet(s.Held().Len()), presumed: e.Presumed}
	s.peers = append(s.peers, p)
	s.byID[e.Peer] = p
	s.meet(p, e.Carrier)
	if s.inject != nil {
		s.do(SendBitfield{Peer: p.id, Set: shoal.NewPieceSet(s.Held().Len())})
		s.reveal(now)
		return
	}
	s.do(SendBitfield{Peer: p.id, Set: s.Held()})
	s.request(p, now) // an origin has what readers wait for
}

func (e PeerLeft) apply(s *State, now time.Time) {
	if p := s.byID[e.Peer]; p != nil {
		s.remove(p, now)
	}
}

// remove forgets a peer and hands on what was expected of it.
func (s *State) remove(p *peer, now time.Time) {
	delete(s.byID, p.id)
	s.peers = slices.DeleteFunc(s.peers, func(q *peer) bool { return q == p })
	s.forgetPieces(p)
	s.part(p)
	s.releaseSink(p)
	s.releaseAll(p)
	if s.inject != nil {
		s.inject.forget(p)
		s.reveal(now)
	}
	s.requestAll(now)
	s.serve(now)
}

// drop removes a peer for a fault.
func (s *State) drop(p *peer, f Fault, now time.Time) {
	s.do(DropPeer{Peer: p.id, Fault: f})
	s.remove(p, now)
}

func (e HaveReceived) apply(s *State, now time.Time) {
	p := s.byID[e.Peer]
	if p == nil || !p.has.Add(e.Piece) {
		return
	}
	s.gained(p, e.Piece)
	s.broughtIn(p, e.Piece, now)
	s.decline(p, e.Piece)
	if s.inject != nil {
		s.inject.spread(e.Piece, p)
		s.reveal(now)
	}
	if !s.Held().Has(e.Piece) {
		s.request(p, now)
	}
}

func (e BitfieldReceived) apply(s *State, now time.Time) {
	p := s.byID[e.Peer]
	if p == nil {
		return
	}
	s.forgetPieces(p)
	s.carrier.stale = true
	p.has = e.Set
	s.meetAsNeighbour(p)
	for piece := range p.has.All() {
		s.gained(p, piece)
		if s.inject != nil {
			s.inject.spread(piece, p)
		}
	}
	if s.inject != nil {
		s.reveal(now)
	}
	s.request(p, now)
}

func (e PieceStored) apply(s *State, now time.Time) {
	full := s.full()
	if s.verifying[e.Piece].cross {
		s.carrier.own.brought++
	}
	delete(s.verifying, e.Piece)
	s.pick.Stored(e.Piece)
	for _, p := range s.peers {
		switch {
		case p.class.cross && s.Held().Full():
			s.do(SendBitfield{Peer: p.id, Set: s.Held()})
		case s.mustKnow(p, e.Piece):
			s.do(SendHave{Peer: p.id, Piece: e.Piece})
		}
	}
	if s.Held().Full() {
		s.do(Completed{})
		return
	}
	if full { // there is room again
		s.requestAll(now)
	}
}

func (e PieceCorrupt) apply(s *State, now time.Time) {
	s.bytes.waste(s.verifying[e.Piece], s.cfg.PieceSize(e.Piece))
	delete(s.verifying, e.Piece)
	s.pick.Released(e.Piece)
	if p := s.byID[e.Peer]; p != nil {
		s.drop(p, Corrupt, now)
		return
	}
	s.do(DropPeer{Peer: e.Peer, Fault: Corrupt}) // leaving does not save it
	s.requestAll(now)
}

func (e Tick) apply(s *State, now time.Time) {
	s.waking.tick(now)
	s.doubt(now)
	s.lookBehind()
	s.expire(now)
	s.watchMembers(now)
	if s.inject != nil {
		s.inject.tick(s, now)
		s.reveal(now)
	}
	s.offerAgain(now)
	s.requestAll(now)
	s.serve(now)
	s.tellQueued(now)
}
