package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// followTask shows a task until it ends and prints its report. Only a task
// that succeeded ends without an error.
func followTask(ctx context.Context, a *app, c *api.Client, id string, asJSON bool) error {
	const op = "watch task"
	d := newDisplay(ctx, a.stderr)
	defer d.close()
	t, err := awaitTask(ctx, c, id, d)
	d.close()
	if err != nil {
		err := &opError{op: op, input: id, cause: err}
		if interrupted(ctx) {
			err.hint = fmt.Sprintf("the task goes on; 'shoal task watch %s' follows it, 'shoal task cancel %s' ends it", id, id)
		}
		return err
	}
	if err := printTask(a, t, asJSON); err != nil {
		return err
	}
	return taskOutcome(t)
}

// taskOutcome is nil for a task that succeeded.
func taskOutcome(t api.Task) error {
	if t.State == api.Succeeded {
		return nil
	}
	e := &opError{op: "distribute", input: printable(t.Name), cause: fmt.Errorf("task %s %s", t.ID, t.State)}
	for _, n := range t.Nodes {
		if n.State == api.Failed {
			e.cause = fmt.Errorf("%w: %s of %s, first %s: %s", e.cause,
				plural(t.Counts[api.Failed], "failure"), plural(len(t.Nodes), "node"), printable(n.Node), printable(n.Error))
			e.hint = fmt.Sprintf("'shoal task show %s' has every node's reason", t.ID)
			break
		}
	}
	return e
}

const (
	// taskPoll is how long the tracker may hold its answer back.
	taskPoll = 20 * time.Second
	// taskPause keeps a tracker that always has news from being asked all the time.
	taskPause = 100 * time.Millisecond
	// trackerRetry lies between attempts to reach a tracker that is away. The
	// nodes go on without it, so there is no reason to give up on the task.
	trackerRetry = time.Second
)

// awaitTask follows a task to its end and returns its last state.
func awaitTask(ctx context.Context, c *api.Client, id string, d display) (api.Task, error) {
	var last api.Task
	away := false
	for {
		t, err := c.WatchTask(ctx, id, last.Version, taskPoll)
		pause := taskPause
		switch {
		case err == nil:
			if away {
				d.say("the tracker is back")
			}
			away, last = false, t
			d.show(taskGauges(t))
			if t.State.Final() {
				return t, nil
			}
		case ctx.Err() != nil:
			return last, context.Cause(ctx)
		case last.ID == "" || !errors.Is(err, shoal.ErrUnavailable):
			return last, err
		default:
			if !away {
				d.say("the tracker is away, the task goes on; trying again: %s", oneLine(err.Error()))
			}
			away, pause = true, trackerRetry
		}
		select {
		case <-ctx.Done():
			return last, context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}

// taskGauges shows each node's part.
func taskGauges(t api.Task) []gauge {
	gauges := make([]gauge, len(t.Nodes))
	for i, n := range t.Nodes {
		g := gauge{name: n.Node, total: t.Size, note: string(n.State), ended: n.State.Final()}
		if t.Pieces > 0 {
			g.done = estimate(t.Size, n.Pieces, t.Pieces)
		}
		if n.State == api.Succeeded {
			g.done = t.Size
			g.note += " in " + secondsText(n.Seconds)
		}
		if n.Queued {
			g.note = queuedText
		}
		if n.Error != "" {
			g.note += ": " + n.Error
		}
		gauges[i] = g
	}
	return gauges
}
