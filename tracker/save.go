package tracker

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/shoal-cdn/shoal/tracker/api"
)

const saveTimeout = 15 * time.Second

// saver gathers what many requests have to save at a time into one
// transaction: whoever gets the lock saves for all, and those who waited for
// it find nothing left to do.
type saver struct {
	mu   sync.Mutex
	save func(context.Context) error // saves all that is unsaved; nothing is not an error
}

// Save returns when everything that was unsaved when it was called is saved.
// It goes on when ctx ends, since others may wait for the same.
func (s *saver) Save(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	return s.save(ctx)
}

func (t *Tracker) saveTasks(ctx context.Context) error {
	changes := t.tasks.Unsaved()
	if err := t.db.SaveTasks(ctx, changes); err != nil {
		return err
	}
	t.tasks.Saved(changes)
	return nil
}

// saveNodes records nodes that are here to stay: guests aren't.
func (t *Tracker) saveNodes(ctx context.Context, nodes []api.Node) error {
	nodes = slices.DeleteFunc(nodes, func(n api.Node) bool { return n.Guest })
	return t.db.SaveNodes(ctx, nodes)
}
