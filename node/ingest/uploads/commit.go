package uploads

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"sync"
	"time"
)

const (
	commitAfter = time.Second // after a write, unless somebody asks before
	commitBytes = 32 << 20    // that are written: commit unasked, so that the one at the end is short
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
		delete(u.fresh, k)
		if err == nil {
			u.ledger.take(entries[i])
		} else if !u.ledger.has(k) {
			u.held.Remove(k) // after a failed sync the kernel may drop the data at any time
			u.proven.Remove(k)
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
}

// persist makes data durable, then the folders that lead to it, then the record of it.
func (u *Upload) persist(b *batch, folders map[string]struct{}, entries []entry) error {
	for file := range b.files {
		key := fileKey{u, file}
		f, err := u.store.files.acquire(key)
		if err != nil {
			return room(err)
		}
		err = f.Sync()
		f.release()
		if err != nil {
			u.store.files.forget(key)
			return room(gone(u.rec.Task, err))
		}
	}
	for dir := range folders {
		if err := syncDir(u.root, dir); err != nil {
			return room(gone(u.rec.Task, err))
		}
	}
	return u.appending.append(u, entries)
}

// appender writes this process's logs of an upload: one, but for failures.
type appender struct {
	mu  sync.Mutex
	log *os.File // nil before the first entry, and after a failure
	seq int
}

// logPrefix is what the logs of a session begin with.
func logPrefix(session string) string { return "have." + session + "." }

const logSuffix = ".log"

func (a *appender) append(u *Upload, entries []entry) (err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var b []byte
	if a.log == nil {
		// A log whose end is not known is left alone: what does not decode ends it.
		name := logPrefix(u.store.cfg.Session) + strconv.Itoa(a.seq) + logSuffix
		a.seq++
		if a.log, err = u.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o644); err != nil {
			a.log = nil
			if errors.Is(err, fs.ErrExist) {
				return fmt.Errorf("another process has the session %s", u.store.cfg.Session)
			}
			return room(gone(u.rec.Task, err))
		}
		b = append(b, logMagic...)
		defer func() {
			if err == nil {
				err = syncDir(u.root, ".")
			}
		}()
	}
	for _, e := range entries {
		b = appendEntry(b, u.key, e)
	}
	_, err = a.log.Write(b)
	if err == nil {
		err = a.log.Sync()
	}
	if err != nil {
		a.drop()
		return room(gone(u.rec.Task, err))
	}
	return nil
}

func (a *appender) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.drop()
}

// drop needs mu.
func (a *appender) drop() {
	if a.log != nil {
		_ = a.log.Close() // what was written is synced
		a.log = nil
	}
}

// lose makes it durable that chunks are not what they were, so that they are sent again.
func (u *Upload) lose(chunks []int) error {
	if err := u.Sync(u.store.ctx); err != nil {
		return err
	}
	u.mu.Lock()
	for u.running != nil { // the log is written by one at a time
		b := u.running
		u.mu.Unlock()
		<-b.done
		u.mu.Lock()
	}
	b := &batch{done: make(chan struct{})}
	u.running = b
	entries := make([]entry, len(chunks))
	for i, k := range chunks {
		entries[i] = u.ledger.lose(k)
	}
	u.mu.Unlock()

	err := u.appending.append(u, entries)

	u.mu.Lock()
	defer u.mu.Unlock()
	if err == nil {
		for i, k := range chunks {
			u.ledger.take(entries[i])
			u.held.Remove(k)
			u.proven.Remove(k)
		}
	}
	u.running, b.err = nil, err
	close(b.done)
	u.startCommit()
	return err
}
