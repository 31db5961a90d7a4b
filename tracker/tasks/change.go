package tasks

import (
	"fmt"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// Cancel asks for a task's open sub-tasks to be given up, and returns the
// nodes that have to hear of it, also where it was asked for before. One that is over and wasn't cancelled is
// [shoal.ErrConflict].
func (e *Engine) Cancel(now time.Time, id string) ([]shoal.NodeID, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	t := e.tasks[id]
	if t == nil {
		return nil, fmt.Errorf("task %s: %w", id, shoal.ErrNotFound)
	}
	if err := t.cancellable(); err != nil {
		return nil, err
	}
	var nodes []shoal.NodeID
	for _, s := range t.subs {
		if s.State.Final() {
			continue
		}
		next := s.SubTask
		next.Cancel = true
		e.change(now, s, next)
		nodes = append(nodes, s.Node)
	}
	return nodes, nil
}

func (t *task) cancellable() error { return Cancellable(t.ID, StateOf(t.counts())) }

// Cancellable says whether a task in a state can be cancelled; doing it twice
// does no harm.
func Cancellable(id string, s api.State) error {
	if s == api.Succeeded || s == api.Failed {
		return fmt.Errorf("task %s: %w: it has %s already", id, shoal.ErrConflict, s)
	}
	return nil
}

// SetPriority changes in which turn nodes begin a task, and returns those that have
// to hear of it: also of a change that was made before, and that they don't have yet.
// One that is over is [shoal.ErrConflict].
func (e *Engine) SetPriority(id string, p api.Priority) ([]shoal.NodeID, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	t := e.tasks[id]
	if t == nil {
		return nil, fmt.Errorf("task %s: %w", id, shoal.ErrNotFound)
	}
	if err := Changeable(id, StateOf(t.counts())); err != nil {
		return nil, err
	}
	if t.Priority != p {
		t.Priority = p
		t.Version++
		e.dirty[t] = struct{}{}
		t.bell.Ring()
	}
	var nodes []shoal.NodeID
	for _, s := range t.subs {
		if s.State == api.Pending && !s.Cancel && s.by != p {
			nodes = append(nodes, s.Node)
		}
	}
	return nodes, nil
}

// Changeable says whether a task in a state can be changed.
func Changeable(id string, s api.State) error {
	if s.Final() {
		return fmt.Errorf("task %s: %w: it is over (%s)", id, shoal.ErrConflict, s)
	}
	return nil
}
