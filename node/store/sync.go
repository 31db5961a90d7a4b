package store

import (
	"errors"
	"fmt"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/internal/durable"
)

// manyFiles is how many dirty files make one sync of the whole file system
// quicker than one of each.
const manyFiles = 32

// written is what has changed since the last flush; content.mu guards it.
type written struct {
	pieces  []int               // whose data is new
	files   map[int]struct{}    // with new data or new modes
	folders map[string]struct{} // with new entries, relative to the place
	bytes   int64               // of new data
	changed bool                // the bitmap on disk is not what it should be, without new data
	queued  bool                // a flush has been started because of bytes
}

func (w *written) idle() bool { return !w.changed && len(w.files) == 0 }

func (w *written) touchFile(file int) {
	if w.files == nil {
		w.files = map[int]struct{}{}
	}
	w.files[file] = struct{}{}
}

// touchFolders notes that a file at name may be new, and so may be every
// folder on the way to it.
func (w *written) touchFolders(name string) {
	if w.folders == nil {
		w.folders = map[string]struct{}{}
	}
	for dir := range parents(name) {
		w.folders[dir] = struct{}{}
	}
}

// wrote makes a piece readable whose data and journal record are written, and
// sees to it that a flush follows. It reports whether that will be a sync of the
// whole file system. Otherwise the file is to stay open until it is synced: of one that
// nobody has open the kernel may forget that writing it back has failed. Of the file
// system it remembers, for descriptors that were open by then: place.syncs.
func (c *content) wrote(piece, file, n int) (all bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.held.Add(piece) {
		return false
	}
	c.pieces = append(c.pieces, piece)
	c.touchFile(file)
	c.bytes += int64(n)
	c.startTimer()
	if c.bytes >= c.d.cfg.SyncBytes && !c.queued {
		c.queued = true
		go c.flushUnasked()
	}
	return len(c.files) > manyFiles
}

// drop makes a piece unreadable.
func (c *content) drop(piece int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held.Remove(piece) {
		c.changed = true
		c.startTimer()
	}
}

// dropFile makes all of a file's pieces unreadable.
func (c *content) dropFile(file int) {
	first, n := piecesOf(c.m, file)
	for i := range n {
		c.drop(first + i)
	}
}

// startTimer and stopTimer need content.mu.
func (c *content) startTimer() {
	if c.timer == nil {
		c.timer = time.AfterFunc(c.d.cfg.SyncInterval, c.flushUnasked)
	}
}

func (c *content) stopTimer() {
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
}

// Sync implements [Content].
func (c *content) Sync() error {
	c.io.RLock()
	defer c.io.RUnlock()
	err := c.ended
	if err == nil {
		err = errors.Join(c.takeSyncErr(), c.flush())
	}
	if err != nil {
		return fmt.Errorf("sync %s: %w", c.id.Short(), err)
	}
	return nil
}

// flushUnasked is a flush whose error waits for the next call of the owner.
func (c *content) flushUnasked() {
	c.io.RLock()
	defer c.io.RUnlock()
	if c.ended != nil {
		return
	}
	if err := c.flush(); err != nil {
		c.d.cfg.Log.Warn("sync in the background failed", "content", c.id, "err", err)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.syncErr = err
	}
}

func (c *content) takeSyncErr() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.syncErr
	c.syncErr = nil
	return err
}

// flush makes what is held durable: first data, then folders, then the bitmap
// that claims it. Pieces may be written meanwhile; they are the next flush's.
// The caller holds content.io, shared or not.
func (c *content) flush() error {
	c.syncing.Lock()
	defer c.syncing.Unlock()

	c.mu.Lock()
	c.stopTimer()
	if c.idle() {
		c.mu.Unlock()
		return nil
	}
	batch, claim := c.written, c.held.Clone()
	c.written = written{}
	c.mu.Unlock()

	if err := c.syncData(batch, c.keepCached()); err != nil {
		c.disown(batch.pieces)
		return fmt.Errorf("data: %w", err)
	}
	if err := c.saveBitmap(claim); err != nil {
		return fmt.Errorf("bitmap: %w", err)
	}
	return nil
}

// syncData makes a batch's data and folders durable, and takes the data out of the page
// cache unless it is to be kept there.
func (c *content) syncData(batch written, keep bool) error {
	if len(batch.files) > manyFiles && c.at.syncs != nil {
		if err := syncAll(c.at.syncs); !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	for file := range batch.files {
		f, err := c.d.files.acquire(c, file)
		if err != nil {
			return err
		}
		if err = f.value.Sync(); err == nil && !keep {
			dropCached(f.value.File)
		}
		c.d.files.release(f)
		if err != nil {
			return err
		}
	}
	for dir := range batch.folders {
		if err := durable.Sync(c.at.dir, dir); err != nil {
			return err
		}
	}
	return nil
}

// disown drops what was to become durable and did not: after a failed fsync
// the kernel may drop the data at any time.
func (c *content) disown(pieces []int) {
	for _, piece := range pieces {
		c.drop(piece)
	}
}

func (c *content) saveBitmap(claim *shoal.PieceSet) error {
	err := c.d.writeState(c.id, extBitmap, encodeBitmap(c.id, claim))
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		c.durable = claim
		return nil
	}
	c.changed = true
	for range c.durable.AndNot(claim) {
		// The bitmap on disk claims a piece that is gone. Without any, the
		// data is hashed at the next start; removing takes no space.
		return errors.Join(err, c.d.removeState(c.id, extBitmap))
	}
	return err
}
