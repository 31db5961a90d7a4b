package tasks

import (
	"cmp"
	"slices"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// Task is a task as it is kept. The engine's own are guarded by its mutex;
// those that it returns are copies.
type Task struct {
	ID       string
	Content  shoal.ContentID
	Name     string // the content's
	Size     int64  // bytes
	Pieces   int
	Dest     string
	Limits   api.Limits
	Priority api.Priority
	Created  time.Time
	Ended    time.Time // zero while it isn't over
	Version  uint64
	Bound    *float64  // seconds, see [FluidBound]; nil: unknown
	Nodes    []SubTask // in the order of their names
}

// SubTask is one node's part.
type SubTask struct {
	Node        shoal.NodeID
	Name        string // the node's when the task was created
	State       api.State
	Heard       time.Time // while it is pending: when its node last said that others go first; zero: it has not. Not kept in a database
	Error       string
	Unreachable bool // failed since its node did not come back in time
	Cancel      bool // its node is to give it up
	Pieces      int
	Seconds     float64 // as its node reports them
	Bytes       api.Bytes
	Why         api.Why
	Faults      []api.Fault
}

// New makes a task for nodes out of a request that was checked. Complete are the live
// nodes that have all of the content: those in nodes needn't fetch it, and
// all of them are origins for the bound, as are web seeds, which are as fast as
// the request lets them be.
func New(now time.Time, req api.NewTask, c api.Content, nodes, complete []api.NodeInfo) Task {
	t := Task{
		ID: req.ID, Content: c.ID, Name: c.Name, Size: c.Size, Pieces: c.Pieces, Dest: req.Dest, Limits: req.Limits, Priority: req.Priority,
		Created: now.UTC().Truncate(time.Millisecond), Version: 1,
	}
	var origins []shoal.Rate
	has := make(map[shoal.NodeID]bool, len(complete))
	for _, n := range complete {
		has[n.ID] = true
		origins = append(origins, n.Up)
	}
	for range c.WebSeeds {
		origins = append(origins, req.Limits.EgressRate) // as far as it is known
	}
	var fetching []Link
	for _, n := range nodes {
		t.Nodes = append(t.Nodes, SubTask{Node: n.ID, Name: n.Name, State: api.Pending})
		if !has[n.ID] {
			fetching = append(fetching, Link{Up: n.Up, Down: n.Down})
		}
	}
	slices.SortFunc(t.Nodes, func(a, b SubTask) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Node, b.Node)) })
	t.Bound = FluidBound(c.Size, origins, fetching)
	return t
}

// Counts returns the number of sub-tasks by state.
func (t *Task) Counts() map[api.State]int {
	counts := make(map[api.State]int)
	for i := range t.Nodes {
		counts[t.Nodes[i].State]++
	}
	return counts
}

// StateOf is the state of a task with so many sub-tasks in each state.
func StateOf(counts map[api.State]int) api.State {
	open := counts[api.Pending] + counts[api.Running]
	ended := counts[api.Succeeded] + counts[api.Failed] + counts[api.Cancelled]
	switch {
	case open > 0 && counts[api.Running]+ended == 0:
		return api.Pending
	case open > 0:
		return api.Running
	case counts[api.Failed] > 0:
		return api.Failed
	case counts[api.Cancelled] > 0:
		return api.Cancelled
	}
	return api.Succeeded
}

// API is the task as clients see it at the time now, without its sub-tasks.
func (t *Task) API(now time.Time, counts map[api.State]int) api.Task {
	out := api.Task{
		ID: t.ID, Version: t.Version, Content: t.Content, Name: t.Name, Size: t.Size, Pieces: t.Pieces, Dest: t.Dest, Limits: t.Limits, Priority: t.Priority,
		State: StateOf(counts), Created: t.Created, Counts: counts,
	}
	end := now
	if !t.Ended.IsZero() {
		end = t.Ended
	}
	out.Seconds = max(end.Sub(t.Created).Seconds(), 0)
	if out.State == api.Succeeded && t.Bound != nil && out.Seconds > 0 {
		e := *t.Bound / out.Seconds
		out.Efficiency = &e
	}
	return out
}

// Full is the task as clients see it at the time now, with its sub-tasks.
func (t *Task) Full(now time.Time) api.Task {
	out := t.API(now, t.Counts())
	out.Nodes = make([]api.SubTask, len(t.Nodes))
	for i, s := range t.Nodes {
		out.Nodes[i] = api.SubTask{
			Node: s.Name, ID: s.Node, State: s.State, Seconds: s.Seconds, Error: s.Error,
			Pieces: s.Pieces, Bytes: s.Bytes, Why: s.Why, Faults: s.Faults,
		}
		if s.State == api.Pending && !s.Heard.IsZero() {
			// Its node says so once, and does not repeat it while nothing but time passes.
			n, since := &out.Nodes[i], max(now.Sub(s.Heard).Seconds(), 0)
			n.Queued = true
			n.Seconds += since
			n.Why.Queued += since
		}
	}
	return out
}
