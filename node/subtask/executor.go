package subtask

import (
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/journal"
	"github.com/shoal-cdn/shoal/node/library"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// Contents is what an executor needs of a [library.Library].
type Contents interface {
	// Want has a content fetched; complete where it is here already.
	// Otherwise [Executor.Settle] is called with the outcome.
	Want(id shoal.ContentID, dest string, operator bool) (complete bool, err error)
	// Drop ends a fetch that no task wants any more.
	Drop(id shoal.ContentID) error
	// Coming reports whether a content is here, or on its way already.
	Coming(id shoal.ContentID) bool
	// Busy reports whether a content waits for nothing but this node's disk.
	Busy(id shoal.ContentID) bool
	Tally(id shoal.ContentID) library.Tally
}

// Config is what an executor works with; all fields are required.
type Config struct {
	Dir      string // of the journal
	Contents Contents
	Most     int    // contents that are fetched for orders at a time, 1 or more
	Changed  func() // there is something to report; must not block
	Log      *slog.Logger
}

// Executor is a node's sub-tasks. Accept and Resume must not be called at the
// same time; apart from that it is safe for concurrent use.
type Executor struct {
	cfg     Config
	journal *journal.Journal[task]

	mu    sync.Mutex
	tasks map[string]*task
	queue []func() // what is asked of the contents, in its order

	more    chan struct{} // capacity 1: the queue has something
	stop    chan struct{} // closed by Close
	stopped chan struct{} // closed when work has returned
}

// Open reads the sub-tasks in the journal. Until [Executor.Resume] none of
// them is worked on.
func Open(cfg Config) (*Executor, error) {
	if cfg.Most < 1 {
		return nil, fmt.Errorf("sub-tasks: %w: %d at a time", shoal.ErrInvalid, cfg.Most)
	}
	j, err := journal.Open[task](cfg.Dir, cfg.Log)
	if err != nil {
		return nil, err
	}
	e := &Executor{
		cfg: cfg, journal: j, tasks: make(map[string]*task),
		more: make(chan struct{}, 1), stop: make(chan struct{}), stopped: make(chan struct{}),
	}
	saved, err := j.Load()
	if err != nil {
		return nil, err
	}
	for id, t := range saved {
		if t.Order.Task != id || t.Report.Task != id {
			continue
		}
		t.kept, t.asleep = true, true
		if t.Report.State == api.Running && t.Began.IsZero() { // a node without a queue wrote it
			t.Began = t.Accepted
		}
		e.tasks[id] = &t
	}
	go e.work()
	return e, nil
}

// Close stops the work on orders, which goes on after the next start, and gives
// up the journal. The contents must have settled, and refuse with
// [library.ErrClosing]. It is called once.
func (e *Executor) Close() error {
	close(e.stop)
	<-e.stopped
	return e.journal.Close()
}

// Resume goes on with what was not finished when the node stopped, the removal of
// what was cancelled included. It does not wait for the contents.
func (e *Executor) Resume() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, t := range e.tasks {
		if !t.asleep {
			continue
		}
		t.asleep = false
		switch {
		case t.Dropping:
			e.enqueue(func() { e.drop(t.Order.Task, t.Order.Content) })
		case !t.final():
			t.wait(e.cfg.Contents.Tally(t.Order.Content), time.Now())
			t.here = e.cfg.Contents.Coming(t.Order.Content)
		}
	}
	e.start()
	for _, t := range e.tasks {
		if t.waitsAgain() && !t.final() {
			e.keep(t) // so that this wait is known after another restart
		}
	}
}

// enqueue has the work done after what is queued. What is queued is bounded by
// what the tracker orders; it is on disk already. The caller holds mu.
func (e *Executor) enqueue(work func()) {
	e.queue = append(e.queue, work)
	select {
	case e.more <- struct{}{}:
	default:
	}
}

// work is the goroutine that orders the contents about, which may take long:
// announcements must not wait for it.
func (e *Executor) work() {
	defer close(e.stopped)
	tick := time.NewTicker(feelEvery)
	defer tick.Stop()
	for {
		select {
		case <-e.stop:
			return
		case <-e.more:
		case <-tick.C:
			e.feel(time.Now()) // the tick may be from before what took long
		}
		for next := e.next(); next != nil; next = e.next() {
			next()
		}
	}
}

// next takes work off the queue; nil where there is none, or Close was called.
func (e *Executor) next() (work func()) {
	select {
	case <-e.stop:
		return nil
	default:
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.queue) > 0 {
		work, e.queue = e.queue[0], e.queue[1:]
	}
	return work
}

// feel looks which fetches move. Others begin in the place of those that don't.
func (e *Executor) feel(now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, t := range e.tasks {
		if t.running() {
			id := t.Order.Content
			t.pulse.feel(e.cfg.Contents.Tally(id), e.cfg.Contents.Busy(id), now)
		}
	}
	e.start()
}

// start begins the orders whose turn it is, each only once that is on disk. The
// caller holds mu.
func (e *Executor) start() {
	for begin := turn(e.tasks, e.cfg.Most); len(begin) > 0; begin = turn(e.tasks, e.cfg.Most) {
		for _, t := range begin {
			now := time.Now()
			if t.kept && t.Began.IsZero() {
				e.cfg.Log.Info("queued task begins", "task", t.Order.Task, "after", now.Sub(t.Accepted).Round(time.Millisecond))
			}
			t.begin(e.cfg.Contents.Tally(t.Order.Content), now)
			if e.keep(t) {
				e.enqueue(func() { e.fetch(t.Order) })
			}
		}
	}
}

// keep writes a task that is not over. One that has never been on disk fails if that does not
// work: it must not be begun. Others are on disk as they were, which the node can go on from.
func (e *Executor) keep(t *task) bool {
	defer e.cfg.Changed()
	err := e.journal.Put(t.Order.Task, *t)
	switch {
	case err == nil:
		t.kept = true
	case t.kept:
		e.cfg.Log.Warn("could not save what has changed of a task", "task", t.Order.Task, "err", err)
	default:
		t.end(library.Tally{}, time.Now(), api.Failed, "accept the task: "+err.Error())
		return false
	}
	return true
}
