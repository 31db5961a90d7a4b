package spool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/upload"
)

const (
	saveEvery   = 5 * time.Second // between records of how far an upload is
	cancelEvery = time.Second     // between looks for an order to give up
)

// Sending says how items are sent.
type Sending struct {
	// Candidates lists the servers for an item. Where it fails, those that it
	// named last are taken.
	Candidates func(context.Context, Item) ([]upload.Candidate, error)
	Timeout    time.Duration // to give up after so long without progress; 0: never
	Log        *slog.Logger  // nil: none

	Progress func(Item, upload.Progress)      // may be nil; see [upload.Options]
	Ended    func(Item, upload.Report, error) // by [Spool.Run], after each attempt; may be nil
}

// errCancelled ends what is being sent when its cancellation is noticed.
var errCancelled = fmt.Errorf("given up: %w", shoal.ErrCancelled)

// Send sends an item, or the rest of it. It fails with [shoal.ErrConflict] where
// another process does, and with [shoal.ErrCancelled] where it was cancelled;
// the item is gone then. Whatever else happens stands in the item's record.
func (s *Spool) Send(ctx context.Context, task string, c Sending) (upload.Report, error) {
	unlock, err := s.lock(task + lockSuffix)
	if err != nil {
		return upload.Report{Task: task}, err
	}
	defer unlock()
	it, err := s.Item(task)
	if err != nil {
		return upload.Report{Task: task}, err
	}
	if it.State == Done {
		return upload.Report{Task: task}, fmt.Errorf("item %s: %w: it is sent", task, shoal.ErrConflict)
	}
	rep, err := s.send(ctx, it, c)
	if errors.Is(err, errCancelled) {
		forgetCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		return rep, errors.Join(err, Forget(forgetCtx, it, c.Candidates), s.Remove(task))
	}
	return rep, err
}

// send is Send with the lock held.
func (s *Spool) send(ctx context.Context, it Item, c Sending) (upload.Report, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := s.watchOrders(it.Task, func() { cancel(errCancelled) })
	defer stop()
	if s.cancelled(it.Task) {
		return upload.Report{Task: it.Task}, errCancelled
	}
	k := &keeper{spool: s, sending: c, item: it}
	k.item.State, k.item.Error = Underway, ""
	if err := s.checkData(ctx, it); err != nil {
		return upload.Report{Task: it.Task}, errors.Join(err, k.end(err))
	}
	if err := s.put(k.item); err != nil {
		return upload.Report{Task: it.Task}, err
	}
	rep, err := upload.Run(ctx, upload.Options{
		Task: it.Task, Path: s.path(it), Manifest: s.manifest(it), Hashed: k.hashed, Distribute: it.Distribute,
		Candidates: k.candidates, Known: it.Measured, Probed: k.probed, Here: it.Target.Here, Timeout: c.Timeout, Log: c.Log, Progress: k.progress,
	})
	if err != nil && errors.Is(context.Cause(ctx), errCancelled) {
		return rep, errCancelled
	}
	return rep, errors.Join(err, k.end(err))
}

// checkData compares the data with what was spooled.
func (s *Spool) checkData(ctx context.Context, it Item) error {
	print, _, err := upload.Fingerprint(ctx, s.path(it))
	switch {
	case err != nil && ctx.Err() == nil:
		return fmt.Errorf("%w: %w", shoal.ErrChanged, err)
	case err == nil && print != it.Print:
		return fmt.Errorf("%s: %w: its time or size is another than when it was spooled", s.path(it), shoal.ErrChanged)
	}
	return err
}

// watchOrders calls f once when the item is to be given up, until stop is called.
func (s *Spool) watchOrders(task string, f func()) (stop func()) {
	done := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(cancelEvery)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				if s.cancelled(task) {
					f()
					return
				}
			}
		}
	}()
	return func() { close(done); <-ended }
}

// Forget has the servers delete what they have of an item.
func Forget(ctx context.Context, it Item, candidates func(context.Context, Item) ([]upload.Candidate, error)) error {
	cs, err := candidates(ctx, it)
	if err != nil || len(cs) == 0 {
		cs = it.Candidates
	}
	return upload.Cancel(ctx, it.Task, cs)
}
