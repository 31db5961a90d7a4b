package api

import (
	"cmp"
	"time"

	"github.com/shoal-cdn/shoal"
)

// State is a task's or a sub-task's state.
type State string

const (
	Pending   State = "pending"
	Running   State = "running"
	Succeeded State = "succeeded"
	Failed    State = "failed"
	Cancelled State = "cancelled"
)

// Final reports whether the state can no longer change. There is one
// exception: a sub-task that failed since its node could not be reached
// succeeds when the node returns and says so.
func (s State) Final() bool { return s == Succeeded || s == Failed || s == Cancelled }

// NewTask asks for a distribution: POST /v1/tasks. Where there is a task of that ID with the same content and destination the
// request is taken for a repetition, and the answer is that task as it is now: also with another priority, which may
// have been changed since ([TaskChange]). With another content or destination it is [shoal.ErrConflict].
type NewTask struct {
	ID      string          `json:"task,omitempty" doc:"chosen by the client, else by the tracker; a taken ID with the same content and destination is a repeated request, answered with that task and its present priority"`
	Content shoal.ContentID `json:"content"`
	Nodes   []string        `json:"nodes"`           // names; "all": every live node that is no guest, and with Dest no origin of the content
	Dest    string          `json:"dest,omitempty"`  // relative, local, clean, slash-separated; "": the content's name
	Limits  Limits          `json:"limits,omitzero"` // on what upstreams send for it

	Priority Priority `json:"priority,omitempty" minimum:"-10" maximum:"10" doc:"0 is normal; of two tasks that wait on a node the higher one begins first"`
}

// Check checks what a new task says by itself, whatever contents and nodes there are: its
// ID, unless that is empty, its destination, its limits and its priority. The error is of
// kind [shoal.ErrInvalid].
func (t *NewTask) Check() error {
	if t.ID != "" {
		if err := CheckTaskID(t.ID); err != nil {
			return err
		}
	}
	return cmp.Or(CheckDest(t.Dest), t.Limits.Validate(), t.Priority.Validate())
}

// TaskChange is what to change of a task that is not over: PATCH /v1/tasks/{task}. What is absent stays as it is.
type TaskChange struct {
	Priority *Priority `json:"priority,omitempty" minimum:"-10" maximum:"10" doc:"0 is normal; nodes that have the task waiting reorder what waits, what has begun goes on"`
}

// Check checks a change by itself. The error is of kind [shoal.ErrInvalid].
func (c *TaskChange) Check() error {
	if c.Priority == nil {
		return invalid("a change of nothing: want a priority")
	}
	return c.Priority.Validate()
}

// Task is a distribution of one content to several nodes.
type Task struct {
	ID         string          `json:"task"`
	Version    uint64          `json:"version"` // differs after every change
	Content    shoal.ContentID `json:"content"`
	Name       string          `json:"name"` // the content's
	Size       int64           `json:"size"` // bytes
	Pieces     int             `json:"pieces"`
	Dest       string          `json:"dest,omitempty"`
	Limits     Limits          `json:"limits,omitzero"`
	Priority   Priority        `json:"priority" minimum:"-10" maximum:"10" doc:"0 is normal; higher ones begin first"`
	State      State           `json:"state"`
	Created    time.Time       `json:"created"`
	Seconds    float64         `json:"seconds"`         // since creation, or until the end
	Efficiency *float64        `json:"efficiency"`      // fluid bound over Seconds; null while rates are unknown or the task has not succeeded (B2)
	Nodes      []SubTask       `json:"nodes,omitempty"` // in the order of their names; absent in lists
	Counts     map[State]int   `json:"counts"`          // sub-tasks by state
}

// SubTask is one node's part of a task.
type SubTask struct {
	Node    string       `json:"node"` // name
	ID      shoal.NodeID `json:"node_id"`
	State   State        `json:"state"`
	Queued  bool         `json:"queued,omitempty"` // pending since its node carries out others first
	Seconds float64      `json:"seconds"`          // since the node accepted it, or until it ended
	Error   string       `json:"error,omitempty"`
	Pieces  int          `json:"pieces"`
	Bytes   Bytes        `json:"bytes"`
	Why     Why          `json:"why,omitzero"` // where its seconds went; absent before the node says so
	Faults  []Fault      `json:"faults,omitempty"`
}
