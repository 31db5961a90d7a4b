package subtask

import (
	"errors"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/library"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// Accept takes orders in. When it returns they are on disk; it does not wait for
// the contents. Of orders that are known already only a cancellation and another priority matter.
func (e *Executor) Accept(orders []api.SubTaskOrder) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var fresh []*task
	for _, o := range orders {
		if err := api.CheckTaskID(o.Task); err != nil {
			e.cfg.Log.Warn("ignored an order", "err", err)
			continue
		}
		switch t := e.tasks[o.Task]; {
		case o.Cancel:
			e.cancel(o)
		case t != nil:
			e.move(t, o.Priority)
		default:
			t = e.newTask(o)
			t.here = e.cfg.Contents.Coming(o.Content)
			fresh = append(fresh, t)
		}
	}
	e.start()
	for _, t := range fresh {
		if t.final() || !t.kept && !e.keep(t) {
			continue
		}
		e.cfg.Log.Info("task accepted", "task", t.Order.Task, "content", t.Order.Content, "dest", t.Order.Dest,
			"priority", t.Order.Priority, "queued", t.waiting())
	}
}

// move gives an order another priority. The caller holds mu, and calls start.
func (e *Executor) move(t *task, p api.Priority) {
	if t.final() || t.Order.Priority == p {
		return
	}
	e.cfg.Log.Info("task has another priority", "task", t.Order.Task, "priority", p, "was", t.Order.Priority, "queued", t.waiting())
	t.Order.Priority = p
	e.keep(t)
}

// newTask lists an order as one that waits. The caller holds mu.
func (e *Executor) newTask(o api.SubTaskOrder) *task {
	t := &task{Order: o, Accepted: time.Now(), Report: api.SubTaskReport{Task: o.Task, State: api.Pending}}
	e.tasks[o.Task] = t
	return t
}

// fetch has the content of an order fetched. It is called without mu: the library takes
// its own locks, and waits for units that may be about to call Settle.
func (e *Executor) fetch(o api.SubTaskOrder) {
	e.mu.Lock()
	t := e.tasks[o.Task]
	over := t == nil || t.final() // cancelled meanwhile
	e.mu.Unlock()
	if over {
		return
	}
	complete, err := e.cfg.Contents.Want(o.Content, o.Dest, false)
	if errors.Is(err, library.ErrClosing) {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if !complete && err == nil {
		t.pulse.moved = time.Now() // it may have taken the library long to come to it
		return
	}
	e.end(e.tasks[o.Task], err)
	e.start()
}

// Settle ends the sub-tasks that wait for a content: err is nil where it is
// complete. The failure of a fetch that was none of theirs is no matter to those
// that have not begun.
func (e *Executor) Settle(id shoal.ContentID, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, t := range e.tasks {
		if t.Order.Content == id && (err == nil || t.running()) {
			e.end(t, err)
		}
	}
	e.start()
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
	t.end(e.cfg.Contents.Tally(t.Order.Content), time.Now(), state, reason)
	e.save(t)
	e.cfg.Log.Info("task ended", "task", t.Order.Task, "content", t.Order.Content, "state", state, "reason", reason)
}

// cancel ends a sub-task, known or not, and the fetch with its last one. The caller
// holds mu.
func (e *Executor) cancel(o api.SubTaskOrder) {
	t := e.tasks[o.Task]
	if t != nil && t.final() {
		return
	}
	if t == nil {
		t = e.newTask(o)
	}
	id := t.Order.Content
	t.end(e.cfg.Contents.Tally(id), time.Now(), api.Cancelled, "")
	t.Dropping = !t.Began.IsZero() || t.Heir
	e.save(t)
	e.cfg.Log.Info("task cancelled", "task", o.Task, "content", id)
	if t.Dropping {
		e.enqueue(func() { e.drop(o.Task, id) })
	}
}

// drop ends the fetch of a cancelled task, unless another wants the content by now.
// The task is kept until then, so that a crash does not leave what was fetched.
func (e *Executor) drop(task string, id shoal.ContentID) {
	if !e.bequeath(id) {
		err := e.cfg.Contents.Drop(id)
		if errors.Is(err, library.ErrClosing) {
			return // after the next start
		}
		if err != nil {
			e.cfg.Log.Warn("could not remove what a cancelled task left", "task", task, "content", id, "err", err)
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

// bequeath leaves what was fetched of a content to the orders that still want it; false:
// there are none.
func (e *Executor) bequeath(id shoal.ContentID) (wanted bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, t := range e.tasks {
		if t.Order.Content != id || t.final() {
			continue
		}
		wanted = true
		if t.Began.IsZero() && !t.Heir {
			t.Heir = true
			e.keep(t)
		}
	}
	return wanted
}

// save is for what the node goes on from with or without the record: the
// tracker would repeat the order, and the work be found done.
func (e *Executor) save(t *task) {
	if err := e.journal.Put(t.Order.Task, *t); err != nil {
		e.cfg.Log.Warn("could not save a task's outcome", "task", t.Order.Task, "err", err)
	}
	e.cfg.Changed()
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
		e.cfg.Log.Warn("could not forget a task", "task", id, "err", err)
	}
}
