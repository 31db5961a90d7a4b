package tasks

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
	"github.com/shoal-cdn/shoal/tracker/internal/bell"
)

// Engine runs the tasks that aren't over. It is safe for concurrent use.
type Engine struct {
	timeout time.Duration // for which a node may be dead before its sub-tasks fail

	mu     sync.Mutex
	tasks  map[string]*task
	byNode map[shoal.NodeID]map[*subTask]struct{} // sub-tasks that a node has to do with
	dirty  map[*task]struct{}                     // with something to save
}

// task is a task in the engine; the engine's mutex guards it.
type task struct {
	Task              // but for Nodes
	subs   []*subTask // in Nodes' order
	byNode map[shoal.NodeID]*subTask
	bell   bell.Bell
}

type subTask struct {
	SubTask
	task    *task
	told    bool         // its node has reported on it in its session
	lingers bool         // it is over, and its node still works on it
	by      api.Priority // by which its node has it wait, as it last said
	rev     uint64
	saved   uint64 // the rev that is in the database
	settled uint64 // the rev of the newest change of state
}

// NewEngine returns an engine without tasks. Sub-tasks of a node that is dead
// for longer than timeout fail.
func NewEngine(timeout time.Duration) *Engine {
	return &Engine{
		timeout: timeout,
		tasks:   make(map[string]*task),
		byNode:  make(map[shoal.NodeID]map[*subTask]struct{}),
		dirty:   make(map[*task]struct{}),
	}
}

// Add takes on a task that is in the database: a new one, or one from before
// a restart. One that it has already is left as it is.
func (e *Engine) Add(t Task) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.tasks[t.ID] != nil {
		return
	}
	n := &task{Task: t, byNode: make(map[shoal.NodeID]*subTask, len(t.Nodes))}
	n.Nodes = nil
	for _, s := range t.Nodes {
		sub := &subTask{SubTask: s, task: n}
		n.subs = append(n.subs, sub)
		n.byNode[s.Node] = sub
		e.index(sub)
	}
	e.tasks[t.ID] = n
}

// index keeps byNode: a sub-task is in it while its node has to do with it.
func (e *Engine) index(s *subTask) {
	if !s.State.Final() || s.lingers {
		if e.byNode[s.Node] == nil {
			e.byNode[s.Node] = make(map[*subTask]struct{})
		}
		e.byNode[s.Node][s] = struct{}{}
		return
	}
	delete(e.byNode[s.Node], s)
	if len(e.byNode[s.Node]) == 0 {
		delete(e.byNode, s.Node)
	}
}

// Restarted says that a node began a new session: it may have lost what it
// had been told, so that its orders are repeated.
func (e *Engine) Restarted(node shoal.NodeID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for s := range e.byNode[node] {
		s.told = false
	}
}

// Report takes in a node's word on its sub-tasks. Those of tasks that the
// engine doesn't hold are returned: they may be in the database, to be added
// and reported again. Unsaved says that a state reported here is not yet in the database.
func (e *Engine) Report(now time.Time, node shoal.NodeID, reports []api.SubTaskReport) (unknown []api.SubTaskReport, unsaved bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := range reports {
		r := &reports[i]
		t := e.tasks[r.Task]
		if t == nil {
			unknown = append(unknown, *r)
			continue
		}
		if s := t.byNode[node]; s != nil {
			e.report(now, s, r)
			unsaved = unsaved || s.settled > s.saved
		}
		e.settle(t)
	}
	return unknown, unsaved
}

func (e *Engine) report(now time.Time, s *subTask, r *api.SubTaskReport) {
	back := !s.told && s.State == api.Running // a node that was restarted may have put off what it had begun
	s.told, s.by = true, r.Priority
	if r.State == api.Pending && (s.State == api.Pending || back) {
		s.Heard = now
		r.Seconds = min(r.Seconds, max(0, now.Sub(s.task.Created).Seconds())) // the clock may have been set back
		r.Why.Queued = min(r.Why.Queued, r.Seconds)
	}
	switch {
	case s.State.Final() && s.Unreachable && r.State == api.Succeeded:
		s.lingers = false
	case s.State.Final():
		s.lingers = !r.State.Final()
		e.index(s)
		return
	case rank(r.State) < rank(s.State) && !back:
		return
	}
	next := s.SubTask
	next.State, next.Error, next.Pieces = r.State, r.Error, min(r.Pieces, s.task.Pieces)
	next.Seconds, next.Bytes, next.Why, next.Faults, next.Unreachable = r.Seconds, r.Bytes, r.Why, r.Faults, false
	e.change(now, s, next)
}

// rank orders states by how far they are; within a session a report of less is late.
func rank(s api.State) int {
	switch s {
	case api.Pending:
		return 0
	case api.Running:
		return 1
	}
	return 2
}

// change replaces a sub-task by next and records what is to be saved.
func (e *Engine) change(now time.Time, s *subTask, next SubTask) {
	moved := s.State != next.State || s.Cancel != next.Cancel
	if !moved && same(&s.SubTask, &next) {
		return
	}
	s.SubTask = next
	s.rev++
	t := s.task
	t.Version++
	e.dirty[t] = struct{}{}
	if moved {
		s.settled = s.rev
		e.index(s)
		t.Ended = time.Time{}
		if StateOf(t.counts()).Final() {
			t.Ended = now.UTC().Truncate(time.Millisecond)
		}
	}
	t.bell.Ring()
}

func same(a, b *SubTask) bool {
	return a.Error == b.Error && a.Pieces == b.Pieces && a.Seconds == b.Seconds && a.Bytes == b.Bytes && a.Why == b.Why && slices.Equal(a.Faults, b.Faults)
}

// Orders returns what a node has to be told: what it has not reported on in its session, and
// what it has waiting by another priority than the task's. One that still works on what was
// cancelled behind its back is told to give it up; one that was given up as
// unreachable may yet succeed.
func (e *Engine) Orders(node shoal.NodeID) []api.SubTaskOrder {
	e.mu.Lock()
	defer e.mu.Unlock()
	var list []api.SubTaskOrder
	for s := range e.byNode[node] {
		cancel := s.State == api.Cancelled || s.Cancel && !s.State.Final()
		moved := s.State == api.Pending && s.by != s.task.Priority
		if cancel || moved || !s.told && !s.State.Final() {
			list = append(list, api.SubTaskOrder{Task: s.task.ID, Content: s.task.Content, Priority: s.task.Priority, Dest: s.task.Dest, Shared: len(s.task.subs) > 1, Cancel: cancel})
		}
	}
	slices.SortFunc(list, func(a, b api.SubTaskOrder) int {
		ta, tb := e.tasks[a.Task], e.tasks[b.Task]
		if c := ta.Created.Compare(tb.Created); c != 0 {
			return c
		}
		return cmp.Compare(a.Task, b.Task)
	})
	return list
}

// Limits returns what a task bounds upstreams by; a task that the engine
// doesn't hold, or of another content, bounds nothing.
func (e *Engine) Limits(id string, content shoal.ContentID) api.Limits {
	e.mu.Lock()
	defer e.mu.Unlock()
	if t := e.tasks[id]; t != nil && t.Content == content {
		return t.Limits
	}
	return api.Limits{}
}

// Sweep fails the open sub-tasks of nodes that have been dead for too long;
// those that were to be cancelled are. Seen returns when a node was last
// known to be alive, and whether it is.
func (e *Engine) Sweep(now time.Time, seen func(shoal.NodeID) (time.Time, bool)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for id, subs := range e.byNode {
		last, alive := seen(id)
		if alive || now.Sub(last) <= e.timeout {
			continue
		}
		for s := range subs {
			if s.State.Final() {
				s.lingers = false
				e.index(s)
				e.settle(s.task)
				continue
			}
			next := s.SubTask
			next.State, next.Unreachable = api.Failed, true
			next.Error = "node unreachable since " + last.UTC().Format(time.RFC3339)
			if s.Cancel {
				next.State, next.Unreachable = api.Cancelled, false
				next.Error += ", not confirmed"
			}
			e.change(now, s, next)
		}
	}
}

func (t *task) counts() map[api.State]int {
	counts := make(map[api.State]int)
	for _, s := range t.subs {
		counts[s.State]++
	}
	return counts
}
