package tasks

import (
	"cmp"
	"slices"
	"time"

	"github.com/shoal-cdn/shoal/tracker/api"
)

// Change is what there is to save of a task: the task itself, with just
// those sub-tasks in Nodes that changed.
type Change struct {
	Task
	State api.State
	revs  []uint64 // of Nodes
}

// Unsaved returns what has changed since it was last saved. It goes on being
// returned until [Engine.Saved] is told of it.
func (e *Engine) Unsaved() []Change {
	e.mu.Lock()
	defer e.mu.Unlock()
	list := make([]Change, 0, len(e.dirty))
	for t := range e.dirty {
		c := Change{Task: t.Task, State: StateOf(t.counts())}
		for _, s := range t.subs {
			if s.rev > s.saved {
				c.Nodes = append(c.Nodes, s.SubTask)
				c.revs = append(c.revs, s.rev)
			}
		}
		list = append(list, c)
	}
	return list
}

// Saved says that changes are in the database. Tasks that are over and fully
// saved are dropped.
func (e *Engine) Saved(changes []Change) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range changes {
		t := e.tasks[c.ID]
		if t == nil {
			continue
		}
		for i, s := range c.Nodes {
			sub := t.byNode[s.Node]
			sub.saved = max(sub.saved, c.revs[i])
		}
		if t.Version == c.Version {
			delete(e.dirty, t)
		}
		e.settle(t)
	}
}

// settle drops a task that needs nothing more.
func (e *Engine) settle(t *task) {
	if _, dirty := e.dirty[t]; dirty || !StateOf(t.counts()).Final() {
		return
	}
	for _, s := range t.subs {
		if s.lingers {
			return
		}
	}
	delete(e.tasks, t.ID)
}

// Get returns a task that the engine holds, as it is now, and a channel that
// is closed when it changes.
func (e *Engine) Get(now time.Time, id string) (out api.Task, changed <-chan struct{}, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	t := e.tasks[id]
	if t == nil {
		return api.Task{}, nil, false
	}
	return t.snapshot().Full(now), t.bell.Listen(), true
}

// List returns the tasks that the engine holds, newest first, without their
// sub-tasks.
func (e *Engine) List(now time.Time) []api.Task {
	e.mu.Lock()
	defer e.mu.Unlock()
	list := make([]api.Task, 0, len(e.tasks))
	for _, t := range e.tasks {
		list = append(list, t.API(now, t.counts()))
	}
	slices.SortFunc(list, Newer)
	return list
}

// Newer orders tasks, the newest first.
func Newer(a, b api.Task) int {
	return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(a.ID, b.ID))
}

func (t *task) snapshot() *Task {
	c := t.Task
	c.Nodes = make([]SubTask, len(t.subs))
	for i, s := range t.subs {
		c.Nodes[i] = s.SubTask
	}
	return &c
}
