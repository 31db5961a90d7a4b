package subtask

import (
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// Reports is the state of all sub-tasks, in no particular order.
func (e *Executor) Reports() []api.SubTaskReport {
	now := time.Now()
	e.mu.Lock()
	defer e.mu.Unlock()
	rs := make([]api.SubTaskReport, 0, len(e.tasks))
	for _, t := range e.tasks {
		rs = append(rs, t.current(e.cfg.Contents.Tally(t.Order.Content), now))
	}
	return rs
}

// Room is for how many further contents orders would begin at once.
func (e *Executor) Room() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return room(underWay(e.tasks), e.cfg.Most)
}

// For names a task for which a content is being fetched, or will be; "" where there is none.
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
