package supply

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/fallback"
	"github.com/shoal-cdn/shoal/swarm"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// Swarm is what is helped out: a [swarm.Swarm].
type Swarm interface {
	Stats() swarm.Stats
	Claim(ctx context.Context, most int64, allowed *shoal.PieceSet) (first, count int, ok bool)
	Deliver(ctx context.Context, piece int, data []byte) error
	Release(first, count int)
	AvoidCross(avoid bool)
	Complete() <-chan struct{}
	Done() <-chan struct{}
}

// Leaser hands out upstreams: a tracker's client.
type Leaser interface {
	Lease(ctx context.Context, r api.LeaseRequest) (api.LeaseReply, error)
	ReturnLease(ctx context.Context, id string, used int64) error
}

// Config is what a Supply works with. All fields but Task, Shared, Down and Disk are required.
type Config struct {
	Manifest *shoal.Manifest
	Swarm    Swarm
	Held     func() *shoal.PieceSet // a copy of the set of pieces that are here
	Leases   Leaser
	Node     shoal.NodeID
	Session  string        // of the node's announces
	Task     func() string // for which the content is fetched; nil, or "": none
	Shared   func() bool   // whether other nodes fetch it by the same task; nil: no
	Down     shoal.Rate    // the downlink, bytes/s; 0: unknown
	// Disk is the time spent on writing pieces so far, all writers together; nil:
	// not known.
	Disk  func() time.Duration
	Guard fallback.Guard // for web seeds; what it allows, nodes may have too
	Paths fallback.Paths // what other fetches know of upstreams; nil: nothing
	Ahead *Ahead         // the first lease, where it has been asked for already; nil: it has not
	Log   *slog.Logger
}

const (
	// maxLoans is as many leases as a tracker gives a node for a content: those
	// that it reads, which slow ranges keep open, and one to go on with.
	maxLoans = 4
	// ahead is how long before all that is leased has come the next lease is
	// asked for, at least.
	ahead    = 3 * time.Second
	callTime = 10 * time.Second // for a call of the tracker
	// partingTime is for leases to be given back at the end. What isn't expires.
	partingTime = time.Second
)

// Supply helps one swarm. Known, Want and Why may be called at any time; Run must be
// called once.
type Supply struct {
	cfg     Config
	rng     *rand.Rand
	known   atomic.Int64
	near    atomic.Int64  // of these, peers that may be in the node's carrier
	told    chan struct{} // capacity 1: known has changed, or readers
	readers readers
	running sync.WaitGroup // the workers, and calls of the tracker
	replies chan answer
	ended   chan ended

	// Run's.
	policy   policy
	account  account
	loans    []*loan
	finished []*loan // to be given back
	workers  map[string]*worker
	trouble  trouble
	tracker  contact
	faults   faults
	crossing bool // peers in other carriers are left alone

	mu           sync.Mutex // guards what follows
	why          api.Why
	faulty       []api.Fault // replaced, never changed
	wasted       int64       // bytes
	wastedByOver int64       // by workers that are over
}

// New makes a Supply that does nothing before Run.
func New(cfg Config) *Supply {
	return &Supply{
		cfg: cfg, rng: rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())),
		told: make(chan struct{}, 1), replies: make(chan answer), ended: make(chan ended),
		policy: policy{floor: floorFor(cfg.Down)}, account: account{down: cfg.Down},
		workers: make(map[string]*worker), trouble: newTrouble(),
	}
}

// Known says that peers were named to the swarm, and how many of them may be in
// the node's carrier.
func (s *Supply) Known(peers, near int) {
	s.near.Add(int64(near)) // before they count as peers: none may look like one of elsewhere
	s.known.Add(int64(peers))
	s.wake()
}

// wake has Run look at how things are now.
func (s *Supply) wake() {
	select {
	case s.told <- struct{}{}:
	default:
	}
}

// Run helps until the swarm is complete or done, or ctx ends: nil. An error of
// kind [shoal.ErrUnavailable] says that the content cannot be had: no peer has
// been of use for a while, and no upstream is; it names each with its reason.
func (s *Supply) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer s.stop(ctx, cancel)
	s.adopt(ctx)
	look := time.NewTimer(tickInterval)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.cfg.Swarm.Complete():
			return nil
		case <-s.cfg.Swarm.Done():
			return nil
		case a := <-s.replies: // there may be something to ask for at once
			s.answered(ctx, time.Now(), a)
		case e := <-s.ended:
			s.gaveUp(time.Now(), e)
		case <-s.told: // where all are far, there is nothing to wait for
		case <-look.C:
		}
		now := time.Now()
		if err := s.tick(ctx, now); err != nil {
			return err
		}
		look.Reset(s.pace(now))
	}
}

// tick looks at how things are, and acts on it.
func (s *Supply) tick(ctx context.Context, now time.Time) error {
	st := s.cfg.Swarm.Stats()
	var held *shoal.PieceSet // a copy, which a swarm that is well off needs not
	var want wanted
	if s.readers.any() {
		held = s.cfg.Held()
		want = s.unleased(held, now)
	}
	need := s.policy.observe(now, view{
		shared: s.cfg.Shared != nil && s.cfg.Shared(),
		known:  int(s.known.Load()), knownNear: int(s.near.Load()), peers: st.Peers, useful: st.Useful, near: st.UsefulNear, lacking: st.Lacking,
		swarm: st.Bytes.Origin + st.Bytes.Peers, reader: len(want.runs) > 0, waited: want.wait,
	})
	if held == nil && (need != "" || len(s.loans) > 0) {
		held = s.cfg.Held()
	}
	s.settle(ctx, now, held)
	s.heed(now, held)
	s.cross(now, need)
	s.note(now, st, need)
	if err := s.trouble.hopeless(s.cfg.Manifest.WebSeeds(), s.policy.alone.lasts(now, hopelessAfter), len(s.loans) > 0, s.lost(now)); err != nil {
		return err
	}
	s.call(ctx, now, need, held, want)
	return nil
}

// cross leaves the way across carriers to upstreams while they are at it: a
// swarm's streams fill a lossy line less well, and get in their way.
func (s *Supply) cross(now time.Time, need api.LeaseReason) {
	avoid := need == api.CrossCarrier && s.policy.helpedRecently(now)
	if avoid != s.crossing {
		s.crossing = avoid
		s.cfg.Swarm.AvoidCross(avoid)
	}
}

// stop ends the workers and gives back what is leased.
func (s *Supply) stop(ctx context.Context, cancel context.CancelFunc) {
	held := s.cfg.Held()
	for _, l := range slices.Clone(s.loans) {
		s.end(l, time.Now(), held)
	}
	cancel()
	ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), partingTime)
	defer cancel()
	for _, l := range s.finished {
		s.running.Go(func() { s.giveBack(ctx, l.ID, l.used) })
	}
	s.running.Wait()
	s.tell()
}
