package subtask

import (
	"errors"
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
	Tally(id shoal.ContentID) library.Tally
}

// Executor is a node's sub-tasks. Accept and Resume must not be called at the
// same time; apart from that it is safe for concurrent use.
type Executor struct {
	contents Contents
	journal  *journal.Journal[task]
	log      *slog.Logger
	changed  func() // there is something to report; must not block

	mu    sync.Mutex
	tasks map[string]*task
	queue []func() // what the orders ask of the contents, in their order

	more    chan struct{} // capacity 1: the queue has something
	stop    chan struct{} // closed by Close
	stopped chan struct{} // closed when work has returned
}

// Open reads the sub-tasks in the folder dir. Until [Executor.Resume] none of
// them is worked on.
func Open(dir string, contents Contents, changed func(), log *slog.Logger) (*Executor, error) {
	j, err := journal.Open[task](dir, log)
	if err != nil {
		return nil, err
	}
	e := &Executor{
		contents: contents, journal: j, log: log, changed: changed, tasks: make(map[string]*task),
		more: make(chan struct{}, 1), stop: make(chan struct{}), stopped: make(chan struct{}),
	}
	saved, err := j.Load()
	if err != nil {
		return nil, err
	}
	for id, t := range saved {
		if t.Order.Task == id && t.Report.Task == id {
			e.tasks[id] = &t
		}
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
	for _, o := range e.pending(func(t *task) bool { return !t.final() }) {
		e.enqueue(func() { e.begin(o) })
	}
	for _, o := range e.pending(func(t *task) bool { return t.Dropping }) {
		e.enqueue(func() { e.drop(o.Task, o.Content) })
	}
}

// enqueue has the work done after what is queued. What is queued is bounded by
// what the tracker orders; it is on disk already.
func (e *Executor) enqueue(work func()) {
	e.mu.Lock()
	e.queue = append(e.queue, work)
	e.mu.Unlock()
	select {
	case e.more <- struct{}{}:
	default:
	}
}

// work is the goroutine that orders the contents about, which may take long:
// announcements must not wait for it.
func (e *Executor) work() {
	defer close(e.stopped)
	for {
		select {
		case <-e.stop:
			return
		case <-e.more:
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

func (e *Executor) pending(which func(*task) bool) (orders []api.SubTaskOrder) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, t := range e.tasks {
		if which(t) {
			orders = append(orders, t.Order)
		}
	}
	return orders
}

// Accept takes orders in. When it returns they are on disk; it does not wait for
// the contents. Orders that are
// known already are ignored, but for cancellations.
func (e *Executor) Accept(orders []api.SubTaskOrder) {
	for _, o := range orders {
		if err := api.CheckTaskID(o.Task); err != nil {
			e.log.Warn("ignored an order", "err", err)
			continue
		}
		if o.Cancel {
			e.cancel(o)
		} else if e.register(o) {
			e.enqueue(func() { e.begin(o) })
		}
	}
}

// register makes a new order durable. It reports whether to work on it.
func (e *Executor) register(o api.SubTaskOrder) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.tasks[o.Task] != nil {
		return false
	}
	defer e.changed()
	t := e.newTask(o)
	e.tasks[o.Task] = t
	if err := e.journal.Put(o.Task, *t); err != nil {
		t.end(library.Tally{}, time.Now(), api.Failed, fmt.Sprintf("accept the task: %v", err))
		return false
	}
	e.log.Info("task accepted", "task", o.Task, "content", o.Content, "dest", o.Dest)
	return true
}

func (e *Executor) newTask(o api.SubTaskOrder) *task {
	tally := e.contents.Tally(o.Content)
	return &task{
		Order:    o,
		Accepted: time.Now(),
		Before:   tally.Bytes,
		WhyThen:  tally.Why,
		Report:   api.SubTaskReport{Task: o.Task, State: api.Running},
	}
}

// begin has the content fetched. It is called without mu: the library takes
// its own locks, and waits for units that may be about to call Settle.
func (e *Executor) begin(o api.SubTaskOrder) {
	e.mu.Lock()
	t := e.tasks[o.Task]
	over := t == nil || t.final() // cancelled meanwhile
	e.mu.Unlock()
	if over {
		return
	}
	complete, err := e.contents.Want(o.Content, o.Dest, false)
	if !complete && err == nil || errors.Is(err, library.ErrClosing) {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.end(e.tasks[o.Task], err)
}

// Settle ends the sub-tasks that wait for a content: err is nil where it is
// complete.
func (e *Executor) Settle(id shoal.ContentID, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, t := range e.tasks {
		if t.Order.Content == id {
			e.end(t, err)
		}
	}
}

// end makes a task final: succeeded, or failed with a reason. The caller
// holds mu.
func (e *Executor) end(t *task, err error) {
	if t == nil || t.final() {
		return
	}
	state, reason := api.Succeeded, ""
	if err != nil {
		state, reason = api.Failed, err.Error()
	}
	t.end(e.contents.Tally(t.Order.Content), time.Now(), state, reason)
	e.save(t)
	e.log.Info("task ended", "task", t.Order.Task, "content", t.Order.Content, "state", state, "reason", reason)
}

// cancel ends a sub-task, known or not, and the fetch with its last one.
func (e *Executor) cancel(o api.SubTaskOrder) {
	e.mu.Lock()
	t := e.tasks[o.Task]
	if t != nil && t.final() {
		e.mu.Unlock()
		return
	}
	known := t != nil
	if !known {
		t = e.newTask(o)
		e.tasks[o.Task] = t
	}
	id := t.Order.Content
	t.end(e.contents.Tally(id), time.Now(), api.Cancelled, "")
	t.Dropping = known
	e.save(t)
	e.log.Info("task cancelled", "task", o.Task, "content", id)
	e.mu.Unlock()
	if known {
		e.enqueue(func() { e.drop(o.Task, id) })
	}
}

// drop ends the fetch of a cancelled task, unless another wants the content by now.
// The task is kept until then, so that a crash does not leave what was fetched.
func (e *Executor) drop(task string, id shoal.ContentID) {
	if e.For(id) == "" {
		err := e.contents.Drop(id)
		if errors.Is(err, library.ErrClosing) {
			return // after the next start
		}
		if err != nil {
			e.log.Warn("could not remove what a cancelled task left", "task", task, "content", id, "err", err)
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	t := e.tasks[task]
	if t == nil {
		return
	}
	t.Dropping = false
	if t.delivered {
		e.forget(task)
		return
	}
	e.save(t)
}

// save is for what the node goes on from with or without the record: the
// tracker would repeat the order, and the work be found done.
func (e *Executor) save(t *task) {
	if err := e.journal.Put(t.Order.Task, *t); err != nil {
		e.log.Warn("could not save a task's outcome", "task", t.Order.Task, "err", err)
	}
	e.changed()
}

// Delivered forgets sub-tasks whose final report the tracker has.
func (e *Executor) Delivered(tasks []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, id := range tasks {
		switch t := e.tasks[id]; {
		case t == nil || !t.final():
		case t.Dropping:
			t.delivered = true
		default:
			e.forget(id)
		}
	}
}

// forget removes a task. The caller holds mu.
func (e *Executor) forget(id string) {
	delete(e.tasks, id)
	if err := e.journal.Delete(id); err != nil {
		e.log.Warn("could not forget a task", "task", id, "err", err)
	}
}

// Reports is the state of all sub-tasks, in no particular order.
func (e *Executor) Reports() []api.SubTaskReport {
	now := time.Now()
	e.mu.Lock()
	defer e.mu.Unlock()
	rs := make([]api.SubTaskReport, 0, len(e.tasks))
	for _, t := range e.tasks {
		rs = append(rs, t.current(e.contents.Tally(t.Order.Content), now))
	}
	return rs
}

// For names a task for which a content is being fetched; "" where there is none.
func (e *Executor) For(id shoal.ContentID) (task string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for name, t := range e.tasks {
		if t.Order.Content == id && !t.final() && (task == "" || name < task) {
			task = name
		}
	}
	return task
}

// Shared reports whether an open task is to bring a content to other nodes too.
func (e *Executor) Shared(id shoal.ContentID) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, t := range e.tasks {
		if t.Order.Content == id && !t.final() && t.Order.Shared {
			return true
		}
	}
	return false
}
