package store

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/internal/durable"
)

// Publish implements [Content].
func (c *content) Publish() error {
	c.publishing.Lock()
	defer c.publishing.Unlock()
	times, err := c.readyToPublish()
	if err == nil && times != nil {
		err = c.moveToDest(times)
	}
	if err != nil {
		return fmt.Errorf("publish %s: %w", c.id.Short(), err)
	}
	return nil
}

// readyToPublish does what takes long while reads go on: it makes every file
// and folder what it shall be, durably. It returns the files' times, as they were
// before anything was found right; nil means that nothing is to be moved.
func (c *content) readyToPublish() (times []int64, err error) {
	if err := c.restoreEmpty(); err != nil {
		return nil, err
	}
	c.io.RLock()
	defer c.io.RUnlock()
	if err := c.canPublish(); err != nil {
		return nil, err
	}
	if !c.at.writable {
		return nil, nil
	}
	var g errgroup.Group
	g.Go(func() error { return errors.Join(c.takeSyncErr(), c.flush()) })
	g.Go(func() (err error) { times, err = c.finish(); return err })
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return times, c.flush() // what finishing touched, mostly nothing
}

// restoreEmpty takes a published content back that lacks an empty file, so
// that publishing makes it anew.
func (c *content) restoreEmpty() error {
	c.io.Lock()
	defer c.io.Unlock()
	if c.ended != nil || !c.rec.Published || !c.emptyMissing {
		return nil
	}
	return c.unpublish()
}

func (c *content) canPublish() error {
	if c.ended != nil {
		return c.ended
	}
	if held := c.Pieces(); !held.Full() {
		return fmt.Errorf("%w: %d of %d pieces are missing", shoal.ErrConflict, held.Len()-held.Count(), held.Len())
	}
	return nil
}

// moveToDest renames the data to the destination. The record goes first: it
// says that data is at the destination if it is no longer in the partial
// folder. times are from before all was synced, so that whatever changes a file
// after that is noticed at the next start.
func (c *content) moveToDest(times []int64) error {
	c.io.Lock()
	defer c.io.Unlock()
	if err := c.canPublish(); err != nil {
		return err
	}
	c.d.moving.Lock()
	defer c.d.moving.Unlock()
	if err := c.d.checkFree(c.rec.Dest); err != nil {
		return err
	}
	if err := c.d.makeFolders(path.Dir(c.rec.Dest)); err != nil {
		return err
	}
	rec := c.rec
	rec.Published, rec.Mtimes = true, times
	if err := c.d.writeRecord(c.id, rec); err != nil {
		return err
	}
	dest := c.d.destPath(rec.Dest)
	if err := c.d.root.Rename(c.partialData(), dest); err != nil {
		c.d.pruneFolders(rec.Dest)
		return errors.Join(err, c.d.writeRecord(c.id, c.rec))
	}
	c.leave()
	c.rec, c.emptyMissing = rec, false
	if !c.m.IsFolder() {
		c.d.root.Remove(c.d.partialPath(c.id)) // empty; Delete gets what is left
	}
	return errors.Join(
		durable.Sync(c.d.root, path.Dir(dest)),
		durable.Sync(c.d.root, c.d.cfg.Partial),
		c.d.removeState(c.id, extJournal),
		c.enter(),
	)
}

// unpublish takes a content back to the partial folder, where it can be
// repaired. The caller holds content.io.
func (c *content) unpublish() error {
	if err := c.flush(); err != nil {
		return err
	}
	dest := c.d.destPath(c.rec.Dest)
	info, err := c.d.root.Lstat(dest)
	gone := errors.Is(err, fs.ErrNotExist)
	switch {
	case gone:
	case err != nil:
		return err
	case c.m.IsFolder() != info.IsDir(), !c.m.IsFolder() && !info.Mode().IsRegular():
		return fmt.Errorf("destination %q: %w: something else is there now; move it away", c.rec.Dest, shoal.ErrConflict)
	}
	c.d.root.Remove(c.d.partialPath(c.id)) // an empty folder that a crash left
	if !c.m.IsFolder() {
		if err := c.d.root.Mkdir(c.d.partialPath(c.id), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	c.leave()
	if !gone {
		if err := c.d.root.Rename(dest, c.partialData()); err != nil {
			return errors.Join(err, c.enter())
		}
	}
	c.rec.Published, c.rec.Mtimes, c.emptyMissing = false, nil, false
	return errors.Join(
		c.d.writeRecord(c.id, c.rec),
		durable.Sync(c.d.root, c.d.cfg.Partial),
		c.enter(),
	)
}

// makeFolders makes a folder below the files folder and those above it,
// durably.
func (d *Disk) makeFolders(dir string) error {
	if dir == "." {
		return nil
	}
	parts := strings.Split(dir, "/")
	for i := range parts {
		at := d.destPath(strings.Join(parts[:i+1], "/"))
		err := d.root.Mkdir(at, 0o755)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err == nil {
			err = errors.Join(d.root.Chmod(at, 0o755), durable.Sync(d.root, path.Dir(at)))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// pruneFolders removes the folders above dest that are empty.
func (d *Disk) pruneFolders(dest string) {
	for dir := range parents(dest) {
		if dir == "." {
			return
		}
		at := d.destPath(dir)
		if info, err := d.root.Lstat(at); err != nil || !info.IsDir() || d.root.Remove(at) != nil {
			return
		}
	}
}
