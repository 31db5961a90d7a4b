package library

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/journal"
)

// Library is safe for concurrent use.
type Library struct {
	cfg     Config
	records *journal.Journal[record]
	ctx     context.Context // the units'
	stop    context.CancelCauseFunc

	running sync.WaitGroup // the units' goroutines

	op      lock // held by whoever starts, stops, adds or removes units
	lookUps lookUps

	lookedUp introductions // contents that somebody has asked about
	ordered  introductions // those of AddPeers

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
		lookedUp: introductions{most: maxLookUps}, ordered: introductions{most: maxOrdered},
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
