package swarm

import (
	"bufio"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/swarm/exchange"
	"github.com/shoal-cdn/shoal/swarm/wire"
)

// Swarm is one content's exchange. Its methods are safe for concurrent use.
type Swarm struct {
	hub      *Hub
	manifest *shoal.Manifest
	store    Store
	origin   bool
	log      *slog.Logger
	pool     *pool

	events   chan event
	ctx      context.Context // ends when the swarm is left or has failed
	cancel   context.CancelCauseFunc
	complete chan struct{}
	done     chan struct{}
	wg       sync.WaitGroup // everything the event loop started
	readers  atomic.Uint64  // the last one's number

	// Used by the event loop only.
	state    *exchange.State
	conns    map[shoal.NodeID]*conn
	roster   *roster
	pexDue   map[shoal.NodeID]time.Time
	waits    waits
	faults   []Fault
	planned  time.Time
	survey   exchange.Survey
	surveyed time.Time
	measured time.Time // the round trips
	fed      time.Time // when a peer was last useful, or the swarm began
	finished bool

	mu    sync.Mutex
	stats Stats
}

func newSwarm(h *Hub, m *shoal.Manifest, st Store, origin bool) *Swarm {
	ctx, cancel := context.WithCancelCause(h.ctx)
	held := st.Pieces()
	s := &Swarm{
		hub: h, manifest: m, store: st, origin: origin,
		log:      h.cfg.Log.With("content", m.ID()),
		pool:     h.pool(m.PieceLength()),
		events:   make(chan event, 512),
		ctx:      ctx,
		cancel:   cancel,
		complete: make(chan struct{}),
		done:     make(chan struct{}),
		state: exchange.New(exchange.Config{
			Self: h.host.ID(), Carrier: h.Locality().Carrier, Held: held, PieceLength: m.PieceLength(), PieceSize: m.PieceSize, Starts: fileStarts(m),
			Origin: origin, Rand: rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())),
		}),
		conns:  make(map[shoal.NodeID]*conn),
		roster: newRoster(h.host.ID()),
		pexDue: make(map[shoal.NodeID]time.Time),
		waits:  make(waits),
		fed:    time.Now(),
	}
	s.roster.place(h.Locality().Carrier)
	s.publish()
	if held.Full() {
		s.finish()
	}
	return s
}

// fileStarts is the set of pieces that begin a file.
func fileStarts(m *shoal.Manifest) *shoal.PieceSet {
	starts := shoal.NewPieceSet(m.NumPieces())
	for _, f := range m.Files() {
		if f.Length > 0 {
			starts.Add(f.FirstPiece)
		}
	}
	return starts
}

func (s *Swarm) limits() wire.Limits {
	return wire.Limits{Pieces: s.manifest.NumPieces(), PieceLength: s.manifest.PieceLength()}
}

// AddPeers tells the swarm of nodes that may be in it.
func (s *Swarm) AddPeers(peers []Peer) { s.post(peersFound{slices.Clone(peers)}) }

// Stats returns a recent snapshot, at most [exchange.TickInterval] old.
func (s *Swarm) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

// Complete is closed when every piece is stored; Stats is exact by then.
func (s *Swarm) Complete() <-chan struct{} { return s.complete }

// Done is closed when the swarm has ended, by Leave or by a failure.
func (s *Swarm) Done() <-chan struct{} { return s.done }

// errLeft is the cause of an end that was asked for.
var errLeft = errors.New("left the swarm")

// Err is the failure that ended the swarm: nil before Done and after Leave.
func (s *Swarm) Err() error {
	if err := context.Cause(s.ctx); err != nil && !errors.Is(err, errLeft) && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// Leave ends the swarm and waits until nothing of it runs.
func (s *Swarm) Leave() {
	s.cancel(errLeft)
	<-s.done
}

// run is the event loop: it alone owns the state.
func (s *Swarm) run() {
	defer close(s.done)
	defer s.hub.remove(s) // the store may be used again
	defer s.wg.Wait()
	pace := s.pace()
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for {
		select {
		case ev := <-s.events:
			ev.handle(s)
			s.handleMore()
			if pace == exchange.TickInterval {
				continue // a tick is near, which may slow down
			}
			s.publish()
		case now := <-tick.C:
			s.handleTick(now)
		case <-s.ctx.Done():
			for _, c := range s.conns {
				c.close()
				c.in.close()
			}
			s.publish()
			return
		}
		if p := s.pace(); p != pace {
			pace = p
			tick.Reset(pace)
		}
	}
}

// post hands an event to the loop; false when the swarm has ended.
func (s *Swarm) post(ev event) bool {
	select {
	case s.events <- ev: // by far the most, and cheaper than to look at two channels
		return true
	default:
	}
	select {
	case s.events <- ev:
		return true
	case <-s.ctx.Done():
		return false
	}
}

// handleMore handles events that wait already, a few before the loop looks at the
// time again.
func (s *Swarm) handleMore() {
	for range 64 {
		select {
		case ev := <-s.events:
			ev.handle(s)
		default:
			return
		}
	}
}

func (s *Swarm) handleTick(now time.Time) {
	s.apply(exchange.Tick{})
	if now.Sub(s.planned) >= rosterRefresh {
		s.planned = now
		s.dial(now)
		s.sendPEX(now)
		s.dropUseless(now)
		s.measureRoundTrips(now)
	}
	s.publish()
}

// dial connects to peers that the roster names. A node that has everything
// waits for others to come.
func (s *Swarm) dial(now time.Time) {
	if s.finished {
		return
	}
	connected := func(id shoal.NodeID) bool { return s.conns[id] != nil }
	for _, p := range s.roster.plan(now, connected, len(s.conns)) {
		s.open(p)
	}
}

// open dials a peer that counts as being dialled already.
func (s *Swarm) open(p Peer) {
	begin := s.greet
	if s.presumes(p) {
		begin = s.presume
	}
	s.wg.Go(func() {
		ctx, cancel := context.WithTimeout(s.ctx, dialTimeout)
		defer cancel()
		st, err := s.hub.host.Open(ctx, p.ID, p.Addrs, wire.Protocol)
		if err != nil {
			s.log.Debug("dial failed", "peer", p.ID, "name", p.Name, "err", err)
		} else {
			begin(st, bufio.NewReaderSize(st, readBuffer))
		}
		s.post(dialDone{p.ID})
	})
}

// surveyInterval is how often the loop looks at what the peers can give.
const surveyInterval = 250 * time.Millisecond

// starvation is how long nobody has been useful when more neighbours are looked for.
const starvation = 10 * time.Second

// publish makes a snapshot of the loop's numbers for Stats.
func (s *Swarm) publish() {
	if now := time.Now(); s.finished || now.Sub(s.surveyed) >= surveyInterval {
		s.survey, s.surveyed = s.state.Survey(), now
		if s.survey.Useful > 0 {
			s.fed = now
		}
		s.roster.starved = now.Sub(s.fed) >= starvation
	}
	b := s.state.Bytes()
	st := Stats{
		Pieces:     s.state.Held().Count(),
		Peers:      len(s.conns),
		Useful:     s.survey.Useful,
		UsefulNear: s.survey.Near,
		Lacking:    s.survey.Lacking,
		Bytes: Bytes{
			Origin: b.Origin, Peers: b.Peers, CrossCarrier: b.Cross, Upstream: b.Upstream, Wasted: b.Wasted,
		},
		Sent:   s.state.Sent(),
		Faults: s.faults,
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats = st
}

// finish notes that every piece is here.
func (s *Swarm) finish() {
	s.finished = true
	s.publish()
	close(s.complete)
}

// fault records a peer's misbehaviour. The slice is shared with snapshots, so
// it is replaced, never changed.
func (s *Swarm) fault(id shoal.NodeID, kind FaultKind) {
	name := s.roster.name(id)
	if c := s.conns[id]; c != nil && name == "" {
		name = c.hello.Name
	}
	faults := slices.Clone(s.faults)
	i := slices.IndexFunc(faults, func(f Fault) bool { return f.Peer == id && f.Kind == kind })
	if i < 0 {
		if len(faults) >= maxFaults {
			return
		}
		i = len(faults)
		faults = append(faults, Fault{Peer: id, Name: name, Kind: kind})
	}
	faults[i].Count++
	s.faults = faults
	s.log.Warn("peer at fault", "peer", id, "name", name, "fault", string(kind))
}

// maxFaults bounds the peers that are named for their faults.
const maxFaults = 256
