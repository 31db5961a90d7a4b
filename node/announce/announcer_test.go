package announce

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"reflect"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// fakeNode is a Local whose state the test sets.
type fakeNode struct {
	mu        sync.Mutex
	snapshot  Snapshot
	applied   []api.Reply
	delivered []string
}

func (f *fakeNode) Snapshot() Snapshot {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.snapshot
}

func (f *fakeNode) Apply(r api.Reply) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.applied = append(f.applied, r)
}

func (f *fakeNode) Delivered(tasks []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.delivered = append(f.delivered, tasks...)
}

func (f *fakeNode) set(s Snapshot) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.snapshot = s
}

// seen returns what the loop told the node so far.
func (f *fakeNode) seen() (applied []api.Reply, delivered []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.applied), slices.Clone(f.delivered)
}

type arrival struct {
	at  time.Duration // since the start
	msg api.Announce
}

// fakeTracker holds announces as the real one does, and keeps what arrived.
type fakeTracker struct {
	start   time.Time
	orders  chan api.Reply                            // each is the answer to the announce then held
	respond func(n int) (reply *api.Reply, err error) // answers announce n at once; nil, nil: hold
	mu      sync.Mutex
	arrived []arrival
}

func (f *fakeTracker) Announce(ctx context.Context, msg api.Announce) (api.Reply, error) {
	f.mu.Lock()
	f.arrived = append(f.arrived, arrival{time.Since(f.start), msg})
	n := len(f.arrived)
	f.mu.Unlock()
	if f.respond != nil {
		if reply, err := f.respond(n); reply != nil || err != nil {
			return *cmp.Or(reply, &api.Reply{}), err
		}
	}
	hold := time.NewTimer(time.Duration(msg.Wait * float64(time.Second)))
	defer hold.Stop()
	select {
	case r := <-f.orders:
		return r, nil
	case <-hold.C:
		return api.Reply{Cursor: msg.Cursor}, nil
	case <-ctx.Done():
		return api.Reply{}, ctx.Err()
	}
}

func (f *fakeTracker) log() []arrival {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.arrived)
}

// run drives an Announcer in virtual time while script runs.
func run(t *testing.T, script func(*testing.T, *fakeNode, *fakeTracker, *Announcer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		node := &fakeNode{snapshot: Snapshot{Node: self}}
		tracker := &fakeTracker{start: time.Now(), orders: make(chan api.Reply)}
		a := New(tracker, node, slog.New(slog.DiscardHandler))
		script(t, node, tracker, a)
	})
}

func start(t *testing.T, a *Announcer) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { a.Run(ctx); close(done) }()
	return func() { cancel(); <-done }
}

func TestIdleNodeHoldsOneAnnounce(t *testing.T) {
	run(t, func(t *testing.T, _ *fakeNode, tr *fakeTracker, a *Announcer) {
		stop := start(t, a)
		time.Sleep(62 * time.Second)
		stop()
		got := tr.log()
		// A full one, answered at once, then one each 20 s, then the farewell.
		if len(got) != 6 {
			t.Fatalf("%d announces in 62 s: %+v", len(got), got)
		}
		if first := got[0].msg; !first.Full || first.Wait != 0 || first.Session == "" {
			t.Errorf("first: %+v", first)
		}
		for _, g := range got[1:5] {
			if g.msg.Wait != 20 || g.msg.Full || g.msg.Session != got[0].msg.Session {
				t.Errorf("held: %+v", g.msg)
			}
		}
		if last := got[5].msg; !last.Leaving || last.Wait != 0 {
			t.Errorf("last: %+v", last)
		}
	})
}

func TestNewsEndsTheHold(t *testing.T) {
	run(t, func(t *testing.T, n *fakeNode, tr *fakeTracker, a *Announcer) {
		defer start(t, a)()
		time.Sleep(4900 * time.Millisecond)
		for i := range 3 { // a burst travels together
			n.set(Snapshot{Node: self, Holdings: []api.Holding{holding(1, api.Origin, 8), holding(2, api.Origin, 8), holding(3, api.Origin, 8)}[:i+1]})
			a.Wake()
			time.Sleep(4 * time.Millisecond)
		}
		time.Sleep(time.Second)
		got := tr.log()
		if len(got) != 4 { // full, held, news, held
			t.Fatalf("announces: %+v", got)
		}
		if g := got[2]; len(g.msg.Holdings) != 3 || g.msg.Wait != 0 || g.at > 5300*time.Millisecond {
			t.Errorf("news: %+v", g)
		}
	})
}

// News that comes just before the answer to a held announce is told right after it, and what
// the answer says is not lost.
func TestNewsAndAnswerAtOnce(t *testing.T) {
	for _, after := range []time.Duration{0, settle / 2, settle} {
		run(t, func(t *testing.T, n *fakeNode, tr *fakeTracker, a *Announcer) {
			defer start(t, a)()
			time.Sleep(100 * time.Millisecond) // one is held
			n.set(Snapshot{Node: self, Holdings: []api.Holding{holding(1, api.Origin, 8)}})
			a.Wake()
			time.Sleep(after)
			select {
			case tr.orders <- api.Reply{Cursor: 7}:
			default: // that announce is given up
			}
			time.Sleep(200 * time.Millisecond)
			if got := tr.log(); !slices.ContainsFunc(got, func(g arrival) bool { return len(g.msg.Holdings) == 1 }) {
				t.Errorf("an answer %v after the news: announces %+v", after, got)
			}
		})
	}
}

func TestProgressAtMostOnceASecond(t *testing.T) {
	run(t, func(t *testing.T, n *fakeNode, tr *fakeTracker, a *Announcer) {
		defer start(t, a)()
		time.Sleep(time.Second)
		for i := range 1000 {
			n.set(Snapshot{Node: self, Holdings: []api.Holding{{Content: id(1), Role: api.Fetcher, Pieces: shoal.Pieces{Total: 2000, Count: i}}}})
			time.Sleep(10 * time.Millisecond)
		}
		last := Snapshot{Node: self, Holdings: []api.Holding{{Content: id(1), Role: api.Holder, Pieces: shoal.Pieces{Total: 2000, Count: 2000}}}}
		n.set(last)
		a.Wake()
		time.Sleep(time.Second)
		got := tr.log()
		if len(got) < 10 || len(got) > 17 {
			t.Errorf("%d announces in 12 s", len(got))
		}
		if g := got[len(got)-2]; !reflect.DeepEqual(g.msg.Holdings, last.Holdings) || g.at > 11300*time.Millisecond {
			t.Errorf("completion: %+v", g)
		}
	})
}

// M11: a report is told until a reply to it came, however often that fails.
func TestResendsUntilAcknowledged(t *testing.T) {
	run(t, func(t *testing.T, n *fakeNode, tr *fakeTracker, a *Announcer) {
		down := errors.New("connection refused")
		tr.respond = func(n int) (*api.Reply, error) {
			if n <= 12 {
				return nil, down
			}
			return nil, nil
		}
		done := report("t", api.Succeeded, 8)
		n.set(Snapshot{Node: self, SubTasks: []api.SubTaskReport{done}})
		defer start(t, a)()
		time.Sleep(4 * time.Second)
		_, delivered := n.seen()
		if s := a.Status(); s.Failures < 3 || !errors.Is(s.Err, down) || len(delivered) != 0 {
			t.Fatalf("status: %+v, delivered %v", s, delivered)
		}
		time.Sleep(60 * time.Second)
		got := tr.log()
		for _, g := range got[:13] {
			if len(g.msg.SubTasks) != 1 || !g.msg.Full {
				t.Errorf("at %v: %+v", g.at, g.msg)
			}
		}
		for i := range got[:12] {
			if gap := got[i+1].at - got[i].at; gap > 7500*time.Millisecond {
				t.Errorf("retry %d came after %v", i+1, gap)
			}
		}
		if _, delivered := n.seen(); !slices.Equal(delivered, []string{"t"}) {
			t.Errorf("delivered: %v", delivered)
		}
		if s := a.Status(); s.Err != nil || s.Announces == 0 {
			t.Errorf("status after recovery: %+v", s)
		}
	})
}

func TestOrdersArriveThroughTheHold(t *testing.T) {
	run(t, func(t *testing.T, n *fakeNode, tr *fakeTracker, a *Announcer) {
		defer start(t, a)()
		time.Sleep(3 * time.Second)
		tr.orders <- api.Reply{Cursor: 7, SubTasks: []api.SubTaskOrder{{Task: "t", Content: id(1)}}}
		time.Sleep(500 * time.Millisecond)
		if applied, _ := n.seen(); len(applied[len(applied)-1].SubTasks) != 1 {
			t.Fatalf("applied: %+v", applied)
		}
		got := tr.log()
		if g := got[len(got)-1]; g.msg.Cursor != 7 || g.at > 3500*time.Millisecond {
			t.Errorf("next announce: %+v", g)
		}
	})
}

// Nothing pauses between an order and its first byte: an order that comes right after an
// answer, and then the peers of what it is about.
func TestOrderAndPeersComeAtOnce(t *testing.T) {
	run(t, func(t *testing.T, n *fakeNode, tr *fakeTracker, a *Announcer) {
		defer start(t, a)()
		time.Sleep(time.Millisecond) // the first announce has been answered just now
		tr.orders <- api.Reply{Cursor: 1, SubTasks: []api.SubTaskOrder{{Task: "t", Content: id(1)}}}
		n.set(Snapshot{Node: self, Holdings: []api.Holding{holding(1, api.Fetcher, 0)}})
		a.Wake()
		time.Sleep(25 * time.Millisecond)
		if got := tr.log(); !slices.ContainsFunc(got, func(g arrival) bool { return len(g.msg.Holdings) == 1 }) {
			t.Errorf("announces in the first 25 ms: %+v", got)
		}
	})
}

func TestResyncTellsAll(t *testing.T) {
	run(t, func(t *testing.T, n *fakeNode, tr *fakeTracker, a *Announcer) {
		n.set(Snapshot{Node: self, Holdings: []api.Holding{holding(1, api.Holder, 8)}})
		defer start(t, a)()
		time.Sleep(3 * time.Second)
		tr.orders <- api.Reply{Cursor: 1, Resync: true} // a restarted tracker
		time.Sleep(500 * time.Millisecond)
		got := tr.log()
		if g := got[2]; !g.msg.Full || len(g.msg.Holdings) != 1 || g.msg.Cursor != 1 {
			t.Fatalf("after the resync: %+v", got[2:])
		}
	})
}

// tracker/api doc.go: cursor 0 asks for the peers told of before.
func TestLonelyNodeAsksForItsPeersAgain(t *testing.T) {
	run(t, func(t *testing.T, n *fakeNode, tr *fakeTracker, a *Announcer) {
		fetching := Snapshot{Node: self, Holdings: []api.Holding{holding(1, api.Fetcher, 3)}}
		n.set(fetching)
		defer start(t, a)()
		time.Sleep(time.Second)
		tr.orders <- api.Reply{Cursor: 9}
		time.Sleep(time.Second)
		fetching.Lonely = true
		n.set(fetching)
		time.Sleep(32 * time.Second)
		var cursors []uint64
		for _, g := range tr.log()[2:] {
			cursors = append(cursors, g.msg.Cursor)
		}
		zero := func(c uint64) bool { return c == 0 }
		if asked := len(cursors) - len(slices.DeleteFunc(slices.Clone(cursors), zero)); asked < 3 || asked > 4 || cursors[0] != 9 {
			t.Errorf("cursors sent: %v", cursors)
		}
	})
}

// A tracker that answers at once whatever it is asked must not be hammered.
func TestNoSpin(t *testing.T) {
	for name, c := range map[string]struct {
		reply api.Reply
		most  int // announces in 20 s
	}{
		"never holds":    {api.Reply{Cursor: 1}, 25},
		"always resyncs": {api.Reply{Resync: true}, 25},
		"always peers":   {api.Reply{Cursor: 1, Peers: map[shoal.ContentID][]api.Peer{id(1): {{}}}}, 260},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, _ *fakeNode, tr *fakeTracker, a *Announcer) {
				tr.respond = func(int) (*api.Reply, error) { return &c.reply, nil }
				defer start(t, a)()
				time.Sleep(20 * time.Second)
				if n := len(tr.log()); n > c.most {
					t.Errorf("%d announces in 20 s", n)
				}
			})
		})
	}
}

// Flush returns when the news it waits for has been acknowledged: not while
// the tracker is away, and not with an earlier announce's answer.
func TestFlushWaitsForAcknowledgement(t *testing.T) {
	run(t, func(t *testing.T, node *fakeNode, tr *fakeTracker, a *Announcer) {
		away := true
		var mu sync.Mutex
		tr.respond = func(int) (*api.Reply, error) {
			mu.Lock()
			defer mu.Unlock()
			if away {
				return nil, shoal.ErrUnavailable
			}
			return nil, nil
		}
		stop := start(t, a)
		defer stop()
		node.set(Snapshot{Node: self, Holdings: []api.Holding{{Content: shoal.ContentID{1}, Role: api.Origin}}})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := a.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("without a tracker: %v", err)
		}
		mu.Lock()
		away = false
		mu.Unlock()
		if err := a.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		told := slices.ContainsFunc(tr.log(), func(g arrival) bool { return len(g.msg.Holdings) == 1 })
		if !told {
			t.Error("flushed, but the holding was never told")
		}
		if err := a.Flush(t.Context()); err != nil { // nothing to tell: an announce is held, Flush is not
			t.Fatal(err)
		}
	})
}
