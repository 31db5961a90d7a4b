package uploads

import (
	"context"
	"fmt"
	"time"
)

const (
	// commitAfter is how soon a write is committed unless somebody asks before: what comes in that time is
	// sent again after a crash.
	commitAfter = 250 * time.Millisecond
	commitBytes = 32 << 20 // that are written: commit unasked, so that the one at the end is short
)

// batch is chunks that become durable together.
type batch struct {
	chunks []int
	files  map[int]struct{}
	bytes  int64
	asked  bool // somebody waits, or it is large
	timer  *time.Timer
	done   chan struct{}
	err    error // after done
}

// Sync returns when all that has been written before it is durable, or is no longer
// held, which the error tells; see also [Upload.Failure]. Those who sync at the same time share the work.
func (u *Upload) Sync(ctx context.Context) error {
	u.mu.Lock()
	var waits []*batch
	if u.running != nil {
		waits = append(waits, u.running)
	}
	if u.next != nil {
		u.next.asked = true
		waits = append(waits, u.next)
		u.startCommit()
	}
	u.mu.Unlock()
	var err error
	for _, b := range waits {
		select {
		case <-b.done:
			err = b.err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if err != nil {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("upload %s: %w", u.rec.Task, err)
	}
	return nil
}

// Failure is why the last commit failed, which perhaps nobody waited for; nil where it did not.
func (u *Upload) Failure() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.failure
}

// commitUnasked is a batch's timer.
func (u *Upload) commitUnasked() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.next != nil {
		u.next.asked = true
		u.startCommit()
	}
}

// startCommit starts the next commit unless one is running, which then starts it. It needs mu.
func (u *Upload) startCommit() {
	if u.running != nil || u.next == nil || !u.next.asked {
		return
	}
	b := u.next
	b.timer.Stop()
	u.running, u.next = b, nil
	folders := u.folders
	u.folders = make(map[string]struct{})
	entries := make([]entry, len(b.chunks))
	for i, k := range b.chunks {
		entries[i] = u.ledger.next(k, u.fresh[k])
	}
	u.store.working.Go(func() { u.commit(b, folders, entries) })
}

func (u *Upload) commit(b *batch, folders map[string]struct{}, entries []entry) {
	err := u.persist(b, folders, entries)
	u.mu.Lock()
	defer u.mu.Unlock()
	for dir := range folders {
		if err != nil {
			u.folders[dir] = struct{}{}
		}
	}
	for i, k := range b.chunks {
		switch {
		case u.complete(): // another process was sooner: what was here did not matter
		case err == nil:
			delete(u.fresh, k)
			u.ledger.take(entries[i])
		default:
			delete(u.fresh, k)
			if !u.ledger.has(k) {
				u.held.Remove(k) // after a failed sync the kernel may drop the data at any time
				u.proven.Remove(k)
			}
		}
	}
	if err == nil {
		u.progress = time.Now()
	} else {
		u.store.cfg.Log.Warn("could not make chunks durable", "upload", u.rec.Task, "chunks", len(b.chunks), "err", err)
	}
	u.failure, b.err = err, err
	u.running = nil
	close(b.done)
	u.startCommit()
	u.slim()
}

// persist makes data durable, then the folders that lead to it, then the record of it.
func (u *Upload) persist(b *batch, folders map[string]struct{}, entries []entry) error {
	for file := range b.files {
		key := fileKey{u, file}
		f, release, err := u.store.files.acquire(key)
		if err != nil {
			return room(err)
		}
		err = f.Sync()
		release()
		if err != nil {
			u.store.files.forget(key)
			return room(gone(u.rec.Task, err))
		}
	}
	if err := u.syncFolders(folders); err != nil {
		return room(gone(u.rec.Task, err))
	}
	return u.appending.append(u, entries)
}
