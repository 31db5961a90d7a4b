package ingest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/ingest/api"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// publish starts to tell the tracker of the upload's content, and of its task, unless that is
// under way or done. It does not wait.
func (a *active) publish() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.telling || a.ctx.Err() != nil {
		return
	}
	a.telling = true
	a.s.working.Go(func() {
		err := a.tellTracker()
		a.mu.Lock()
		defer a.mu.Unlock()
		a.refused = err
		if err != nil && a.ctx.Err() == nil {
			a.s.log.Warn("the tracker does not take an upload", "upload", a.u.Task(), "err", err)
			a.telling = false // the client may ask again
		}
	})
}

// tellTracker returns once the tracker has taken everything, or refuses it.
func (a *active) tellTracker() error {
	torrent := a.u.Manifest().Torrent()
	if _, err := patiently(a.ctx, func() (tapi.Content, error) { return a.s.cfg.Tracker.PutContent(a.ctx, torrent) }); err != nil {
		return fmt.Errorf("register: %w", err)
	}
	a.mu.Lock()
	select {
	case <-a.published:
	default:
		close(a.published)
	}
	a.mu.Unlock()
	d := a.u.Distribute()
	if d == nil || a.u.Distributed() {
		return nil
	}
	if err := a.distributable(d); err != nil {
		return err
	}
	task := d.NewTask
	task.ID, task.Content = a.u.Task(), a.u.Manifest().ID()
	err := distribute(a.ctx, a.s.cfg.Tracker, task, a.s.cfg.Name)
	if err != nil {
		return fmt.Errorf("distribute: %w", err)
	}
	a.s.log.Info("upload distributed", "upload", a.u.Task(), "content", task.Content)
	return a.u.MarkDistributed()
}

// lookAgain is how often it is looked whether an upload is complete or hosted.
const lookAgain = 200 * time.Millisecond

// distributable returns when the task of an upload may begin.
func (a *active) distributable(d *api.Distribute) error {
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for !a.served() || d.When == api.AtComplete && !a.u.Complete() {
		select {
		case <-tick.C:
		case <-a.ctx.Done():
			return context.Cause(a.ctx)
		}
	}
	if a.s.cfg.Announce == nil {
		return nil
	}
	// So that the tracker knows where to get it.
	ctx, cancel := context.WithTimeout(a.ctx, announceTime)
	defer cancel()
	if err := a.s.cfg.Announce(ctx); err != nil {
		a.s.log.Debug("the tracker does not know yet that an upload is hosted", "upload", a.u.Task(), "err", err)
	}
	return nil
}

// announceTime bounds how long a task waits for the tracker to know its origin.
const announceTime = 5 * time.Second

// distribute creates a task; one that is there already by that ID is as good. "all" nodes are all but
// those that take uploads where there is a destination: what they host is at none, and stays where it is.
func distribute(ctx context.Context, tracker Tracker, task tapi.NewTask, self string) error {
	_, err := patiently(ctx, func() (tapi.Task, error) {
		t := task
		if t.Dest != "" && slices.Contains(t.Nodes, tapi.AllNodes) {
			nodes, err := tracker.Nodes(ctx)
			if err != nil {
				return tapi.Task{}, err
			}
			t.Nodes = slices.DeleteFunc(slices.Clone(t.Nodes), func(name string) bool { return name == tapi.AllNodes })
			for _, n := range nodes {
				if n.Alive && !n.Guest && !n.Ingest && n.Name != self && !slices.Contains(t.Nodes, n.Name) {
					t.Nodes = append(t.Nodes, n.Name)
				}
			}
		}
		return tracker.CreateTask(ctx, t)
	})
	return err
}

// patiently tries until there is an answer other than that the tracker is unavailable.
func patiently[T any](ctx context.Context, try func() (T, error)) (T, error) {
	pace := &backoff.ExponentialBackOff{
		InitialInterval: 250 * time.Millisecond, MaxInterval: 10 * time.Second, Multiplier: 2, RandomizationFactor: 0.5,
	}
	return backoff.Retry(ctx, func() (T, error) {
		v, err := try()
		if err != nil && !errors.Is(err, shoal.ErrUnavailable) {
			err = backoff.Permanent(err)
		}
		return v, err
	}, backoff.WithBackOff(pace), backoff.WithMaxElapsedTime(0))
}

// trouble is what the tracker does not accept; "" for nothing.
func (a *active) trouble() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.refused == nil || a.ctx.Err() != nil {
		return ""
	}
	return a.refused.Error()
}
