package tracker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
	"github.com/shoal-cdn/shoal/tracker/tasks"
)

// watchPause gathers changes for a long poll: a task of many nodes changes
// many times a second.
const watchPause = 200 * time.Millisecond

func isNotFound(err error) bool { return errors.Is(err, shoal.ErrNotFound) }

func (t *Tracker) createTask(ctx context.Context, now time.Time, req api.NewTask) (api.Task, error) {
	task, err := t.prepareTask(ctx, now, req)
	if err != nil {
		return api.Task{}, fmt.Errorf("create task: %w", err)
	}
	err = t.db.CreateTask(ctx, task)
	if errors.Is(err, shoal.ErrConflict) {
		// A repeated request: its answer was lost on the way.
		if there, e := t.task(ctx, now, task.ID); e == nil && there.Content == task.Content && there.Dest == task.Dest { // its priority may have been changed since
			return there, nil
		}
	}
	if err != nil {
		return api.Task{}, err
	}
	t.tasks.Add(task)
	for _, s := range task.Nodes {
		t.nodes.Notify(s.Node)
	}
	t.log.Info("task created", "task", task.ID, "content", task.Content, "nodes", len(task.Nodes), "priority", task.Priority)
	return task.Full(now), nil
}

func (t *Tracker) prepareTask(ctx context.Context, now time.Time, req api.NewTask) (tasks.Task, error) {
	if req.ID == "" {
		req.ID = api.NewTaskID()
	}
	if err := req.Check(); err != nil {
		return tasks.Task{}, err
	}
	switch n := len(req.Nodes); {
	case n == 0:
		return tasks.Task{}, fmt.Errorf("%w: no nodes are named; %q stands for every live one", shoal.ErrInvalid, api.AllNodes)
	case n > api.MaxNames:
		return tasks.Task{}, fmt.Errorf("%w: %d nodes are named: want at most %d", shoal.ErrInvalid, n, api.MaxNames)
	}
	c, err := t.db.Content(ctx, req.Content)
	if isNotFound(err) {
		return tasks.Task{}, fmt.Errorf("content %s: %w: it isn't registered", req.Content, shoal.ErrNotFound)
	} else if err != nil {
		return tasks.Task{}, err
	}
	var origins shoal.ContentID
	if req.Dest != "" {
		origins = c.ID // what is served in place is at no destination, and stays where it is
	}
	nodes, err := t.nodes.Select(req.Nodes, origins)
	if err != nil {
		return tasks.Task{}, err
	}
	return tasks.New(now, req, c, nodes, t.nodes.Complete(c.ID)), nil
}

// task returns a task as it is now, from the engine or else from the database.
func (t *Tracker) task(ctx context.Context, now time.Time, id string) (api.Task, error) {
	if out, _, ok := t.tasks.Get(now, id); ok {
		return out, nil
	}
	task, err := t.db.Task(ctx, id)
	if err != nil {
		return api.Task{}, err
	}
	return task.Full(now), nil
}

// watchTask returns a task once its version isn't seen or it is over, at the
// latest after wait.
func (t *Tracker) watchTask(ctx context.Context, id string, seen uint64, wait time.Duration) (api.Task, error) {
	out, changed, ok := t.tasks.Get(time.Now(), id)
	if ok && out.Version == seen && !out.State.Final() && wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-changed:
			pause(ctx, t.closing, watchPause)
		case <-timer.C:
		case <-ctx.Done():
		case <-t.closing.Done():
		}
	}
	return t.task(ctx, time.Now(), id)
}

func pause(a, b context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-a.Done():
	case <-b.Done():
	}
}

func (t *Tracker) cancelTask(ctx context.Context, now time.Time, id string) (api.Task, error) {
	nodes, err := t.inEngine(ctx, id, func() ([]shoal.NodeID, error) { return t.tasks.Cancel(now, id) }, tasks.Cancellable)
	if err == nil {
		err = t.saver.Save(ctx) // before any node gives up
	}
	if err != nil {
		return api.Task{}, fmt.Errorf("cancel: %w", err)
	}
	for _, n := range nodes {
		t.nodes.Notify(n)
	}
	t.log.Info("task cancelled", "task", id, "nodes", len(nodes))
	return t.task(ctx, now, id)
}

// changeTask changes a task; what it answers is durable.
func (t *Tracker) changeTask(ctx context.Context, now time.Time, id string, c api.TaskChange) (api.Task, error) {
	if err := c.Check(); err != nil {
		return api.Task{}, err
	}
	nodes, err := t.inEngine(ctx, id, func() ([]shoal.NodeID, error) { return t.tasks.SetPriority(id, *c.Priority) }, tasks.Changeable)
	if err == nil {
		err = t.saver.Save(ctx)
	}
	if err != nil {
		return api.Task{}, err
	}
	for _, n := range nodes {
		t.nodes.Notify(n)
	}
	t.log.Info("task changed", "task", id, "priority", *c.Priority, "nodes", len(nodes))
	return t.task(ctx, now, id)
}

// inEngine changes a task by what is done in the engine, which says which nodes have to hear of it. A task is in the database
// before it is in the engine: one that is being created is taken on here. Over is the answer for one that is over.
func (t *Tracker) inEngine(ctx context.Context, id string, change func() ([]shoal.NodeID, error), over func(id string, s api.State) error) ([]shoal.NodeID, error) {
	nodes, err := change()
	if !isNotFound(err) {
		return nodes, err
	}
	task, err := t.db.Task(ctx, id)
	if err != nil {
		return nil, err
	}
	if s := tasks.StateOf(task.Counts()); s.Final() {
		return nil, over(id, s)
	}
	t.tasks.Add(task)
	if nodes, err = change(); isNotFound(err) {
		err = fmt.Errorf("task %s: %w: it has ended just now", id, shoal.ErrUnavailable)
	}
	return nodes, err
}

// listTasks returns a page of the tasks, newest first: those after one of this ID,
// or "" for the newest. What the engine holds is newer than the database.
func (t *Tracker) listTasks(ctx context.Context, now time.Time, limit int, after string) ([]api.Task, error) {
	if after != "" {
		if _, err := t.task(ctx, now, after); err != nil {
			return nil, fmt.Errorf("list tasks: %w", err)
		}
	}
	list, err := t.db.Tasks(ctx, now, limit, after)
	if err != nil {
		return nil, err
	}
	live := make(map[string]api.Task)
	for _, task := range t.tasks.List(now) {
		live[task.ID] = task
	}
	for i := range list {
		if task, ok := live[list[i].ID]; ok {
			list[i] = task
		}
	}
	slices.SortFunc(list, tasks.Newer)
	return list, nil
}
