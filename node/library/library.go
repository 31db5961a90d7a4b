package library

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/api"
	"github.com/shoal-cdn/shoal/node/journal"
	"github.com/shoal-cdn/shoal/node/store"
	"github.com/shoal-cdn/shoal/swarm"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// Session is a content's part in its swarm: a [swarm.Swarm].
type Session interface {
	AddPeers([]swarm.Peer)
	// Want makes pieces urgent until release is called.
	Want(first, count int) (release func())
	// WaitPieces waits until pieces can be read. An error that is neither ctx's nor
	// of kind [shoal.ErrInvalid] says that the session is over.
	WaitPieces(ctx context.Context, first, count int) error
	Connect(swarm.Peer) // dials a peer that cannot dial us
	Stats() swarm.Stats
	Why() tapi.Why             // where the time since it was joined went
	Upstreams() []tapi.Fault   // what servers outside of the swarm did wrong since then
	Complete() <-chan struct{} // closed once all pieces are stored
	Done() <-chan struct{}     // closed when it ended
	Err() error                // after Done: why; nil after Leave
	Leave()                    // ends it and waits; more than once is no error
}

// Torrents is where manifests come from and go to: a tracker's client.
type Torrents interface {
	Torrent(ctx context.Context, id shoal.ContentID) ([]byte, error)
	PutContent(ctx context.Context, torrent []byte) (tapi.Content, error)
}

// Config is what a library works with; all fields are required, but for those that
// say what nil means.
type Config struct {
	Store    store.Store
	Torrents Torrents // nil without a tracker
	// FromPeers gets a manifest from peers, however long that takes; it returns when
	// ctx ends. nil: there is no such way.
	FromPeers func(context.Context, shoal.ContentID) (*shoal.Manifest, error)
	Join      func(m *shoal.Manifest, st swarm.Store, origin bool) (Session, error)
	// Arrive is Join for a content that is hosted while it arrives. nil where none is.
	Arrive  func(m *shoal.Manifest, st swarm.Store) (ArrivingSession, error)
	Records string // folder for what the store does not keep: requests, counters, failures
	Files   string // absolute path of the store's files folder
	Log     *slog.Logger
	// Pull says whether a content may be fetched because somebody reads it; an error
	// says why not. It is called with the library locked, and must not call it.
	Pull func(Pull) error
	// Changed is told that there may be something to announce. It must not
	// block or call the library.
	Changed func()
	// Ended is told that a fetch completed (nil) or failed; not that the
	// library closed or the content was removed. It is called from the unit's
	// goroutine and may call the library, but for what stops a unit: Want,
	// Drop, Remove, Seed and Close.
	Ended func(id shoal.ContentID, err error)
}

// Library is safe for concurrent use.
type Library struct {
	cfg     Config
	records *journal.Journal[record]
	ctx     context.Context // the units'
	stop    context.CancelCauseFunc

	running sync.WaitGroup // the units' goroutines

	op      lock // held by whoever starts, stops, adds or removes units
	lookUps lookUps

	mu      sync.Mutex // guards what follows; taken after op, before a unit's mu
	units   map[shoal.ContentID]*unit
	removed Totals // of contents that are gone
}

// ErrClosing is why nothing is begun any more: the library closes, and what is
// under way goes on after the next start.
var ErrClosing = errors.New("the node stops")

// Why a unit's context ends, apart from ErrClosing.
var (
	errRemoved = errors.New("the content is removed")
	errRenewed = errors.New("the content is seeded anew")
)

// Open makes a library; [Library.Restore] brings it to life.
func Open(cfg Config) (*Library, error) {
	records, err := journal.Open[record](cfg.Records, cfg.Log)
	if err != nil {
		return nil, err
	}
	l := &Library{
		cfg: cfg, records: records, units: make(map[shoal.ContentID]*unit),
		op: newLock(), lookUps: newLookUps(),
	}
	l.ctx, l.stop = context.WithCancelCause(context.Background())
	return l, nil
}

// Restore starts the units of what the store has and of the fetches on
// record. It is meant for the start, before anything else is asked.
func (l *Library) Restore() error {
	l.op.Lock()
	defer l.op.Unlock()
	records, err := l.records.Load()
	if err != nil {
		return err
	}
	stored, err := l.cfg.Store.List()
	if err != nil {
		return fmt.Errorf("restore contents: %w", err)
	}
	for _, id := range stored {
		r := records[id.String()]
		l.add(id, r, r.Wanted).start()
		delete(records, id.String())
	}
	for key, r := range records {
		id, err := shoal.ParseContentID(key)
		if err != nil || !r.Wanted {
			_ = l.records.Delete(key) // nothing of it is here: only the next start would look at it again
			continue
		}
		l.add(id, r, true).start()
	}
	return nil
}

// add makes a unit, which the caller, who holds op, starts.
func (l *Library) add(id shoal.ContentID, r record, wanted bool) *unit {
	u := newUnit(l, id, r, wanted)
	l.enter(u)
	return u
}

// enter shows a unit to everybody. The caller holds op.
func (l *Library) enter(u *unit) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.units[u.id] = u
}

// closeTime is for units to end by themselves.
const closeTime = 2 * time.Second

// Close stops all units, keeping everything, and waits for them. One that is
// hashing data on disk only ends with the store, which is closed for it.
func (l *Library) Close() error {
	l.stop(ErrClosing) // without op, whose holder may be waiting for a unit
	hurry := time.AfterFunc(closeTime, func() {
		if err := l.cfg.Store.Close(); err != nil {
			l.cfg.Log.Warn("could not close the store", "err", err)
		}
	})
	defer hurry.Stop()
	l.op.Lock()
	defer l.op.Unlock()
	l.running.Wait()
	return l.records.Close()
}

// Want has a content fetched, from scratch or from what is there, to dest: a
// relative path below the files folder, or "" for its own name or wherever it
// is. operator says that the request is to outlive a restart by itself.
// complete is true where the whole content is here already; otherwise
// Config.Ended is called when it is or cannot be. What was fetched for readers
// alone, and is elsewhere, is fetched anew.
//
// [shoal.ErrInvalid] where dest is no such path, [shoal.ErrConflict] where
// the content is, or is being fetched to, elsewhere.
func (l *Library) Want(id shoal.ContentID, dest string, operator bool) (complete bool, err error) {
	if dest != "" {
		if err := store.CheckDest(dest); err != nil {
			return false, err
		}
	}
	l.op.Lock()
	defer l.op.Unlock()
	if l.ctx.Err() != nil {
		return false, fmt.Errorf("fetch %s: %w: %w", id.Short(), shoal.ErrUnavailable, ErrClosing)
	}
	u := l.find(id)
	if u != nil && u.inTheWay(dest) {
		u.halt(errRemoved)
		if err := l.delete(u); err != nil {
			return false, err
		}
		u = nil
	}
	if u == nil {
		r := record{Dest: dest, Wanted: operator}
		if err := l.records.Put(id.String(), r); err != nil {
			return false, err
		}
		l.add(id, r, true).start()
		l.cfg.Changed()
		return false, nil
	}
	complete, err = u.want(dest, operator)
	if err == nil {
		u.adopt()
	}
	return complete, err
}

// Drop ends a fetch that nobody wants any more and deletes what it has. A
// content that is complete, or that an operator asked for, stays.
func (l *Library) Drop(id shoal.ContentID) error {
	l.op.Lock()
	defer l.op.Unlock()
	if l.ctx.Err() != nil {
		return fmt.Errorf("drop %s: %w: %w", id.Short(), shoal.ErrUnavailable, ErrClosing)
	}
	u := l.find(id)
	if u == nil || u.keep() {
		return nil
	}
	u.halt(errRemoved)
	if u.keep() { // it completed just now
		u.start()
		return nil
	}
	return l.delete(u)
}

// Remove forgets a content and deletes its data, unless it was seeded in
// place. [shoal.ErrNotFound] where there is none of it.
func (l *Library) Remove(id shoal.ContentID) error {
	l.op.Lock()
	defer l.op.Unlock()
	u := l.find(id)
	if u == nil {
		return fmt.Errorf("content %s: %w on this node", id.Short(), shoal.ErrNotFound)
	}
	if u.hosted != nil {
		return fmt.Errorf("remove content %s: %w: it was uploaded; delete the upload", id.Short(), shoal.ErrConflict)
	}
	u.halt(errRemoved)
	return l.delete(u)
}

// delete removes a unit that has stopped. The caller holds op.
func (l *Library) delete(u *unit) error {
	err := l.cfg.Store.Delete(u.id)
	if err != nil && !errors.Is(err, shoal.ErrNotFound) {
		err = fmt.Errorf("remove content %s: %w", u.id.Short(), err)
		u.fail(err)
		return err
	}
	l.forget(u)
	l.cfg.Log.Info("content removed", "content", u.id)
	return l.records.Delete(u.id.String())
}

// forget takes a unit that has stopped out of the library. The caller holds op.
func (l *Library) forget(u *unit) {
	l.mu.Lock()
	delete(l.units, u.id)
	l.removed = l.removed.add(u.totals())
	l.mu.Unlock()
	l.cfg.Changed()
}

// AddPeers passes on where to find contents; what is not fetched here is ignored.
func (l *Library) AddPeers(peers map[shoal.ContentID][]swarm.Peer) {
	for id, ps := range peers {
		if u := l.find(id); u != nil {
			u.addPeers(ps)
		}
	}
}

// Connect has a content's swarm dial a peer that cannot dial this node (M8).
func (l *Library) Connect(id shoal.ContentID, p swarm.Peer) {
	u := l.find(id)
	if u == nil {
		return
	}
	u.mu.Lock()
	s := u.session
	u.mu.Unlock()
	if s != nil {
		s.Connect(p)
	}
}

// Holdings is what to announce (M2). lonely says that one of the contents is
// fetched without any peer to fetch it from.
func (l *Library) Holdings() (hs []tapi.Holding, lonely bool) {
	for _, u := range l.all() {
		h, alone, ok := u.holding()
		if ok {
			hs = append(hs, h)
		}
		lonely = lonely || alone
	}
	return hs, lonely
}

// Contents describes all contents in the order of their names.
func (l *Library) Contents() []api.Content {
	us := l.all()
	cs := make([]api.Content, 0, len(us))
	for _, u := range us {
		cs = append(cs, u.describe())
	}
	slices.SortFunc(cs, func(a, b api.Content) int {
		if c := strings.Compare(a.Name, b.Name); c != 0 {
			return c
		}
		return strings.Compare(a.ID.String(), b.ID.String())
	})
	return cs
}

// Content describes one content; [shoal.ErrNotFound] where there is none of it.
func (l *Library) Content(id shoal.ContentID) (api.Content, error) {
	u := l.find(id)
	if u == nil {
		return api.Content{}, fmt.Errorf("content %s: %w on this node", id.Short(), shoal.ErrNotFound)
	}
	return u.describe(), nil
}

// Len is the number of contents.
func (l *Library) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.units)
}

// Save makes the counters durable that have changed; a crash costs what they
// counted since.
func (l *Library) Save() {
	l.op.Lock()
	defer l.op.Unlock()
	for _, u := range l.all() {
		u.save()
	}
}

func (l *Library) find(id shoal.ContentID) *unit {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.units[id]
}

func (l *Library) all() []*unit {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(maps.Values(l.units))
}
