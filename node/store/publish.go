package store

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/shoal-cdn/shoal"
)

// Publish implements [Content].
func (c *content) Publish() error {
	c.publishing.Lock()
	defer c.publishing.Unlock()
	done, err := c.readyToPublish()
	if err == nil && !done {
		err = c.moveToDest()
	}
	if err != nil {
		return fmt.Errorf("publish %s: %w", c.id.Short(), err)
	}
	return nil
}

// readyToPublish does what takes long while reads go on: it makes every file
// and folder what it shall be, durably. done means that nothing is to be moved.
func (c *content) readyToPublish() (done bool, err error) {
	if err := c.restoreEmpty(); err != nil {
		return false, err
	}
	c.io.RLock()
	defer c.io.RUnlock()
	if err := c.canPublish(); err != nil {
		return false, err
	}
	if !c.at.writable {
		return true, nil
	}
	for file := range c.m.Files() {
		if err := c.finishFile(file); err != nil {
			return false, err
		}
	}
	if err := c.finishFolders(); err != nil {
		return false, err
	}
	return false, errors.Join(c.takeSyncErr(), c.flush())
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

// finishFile creates a file if it is empty, and sets the mode that the umask
// may have taken from it.
func (c *content) finishFile(file int) error {
	want := c.m.Files()[file]
	if info, err := c.at.lstat(file); err == nil && want.Length > 0 && fits(info, want) && info.Mode().Perm() == fileMode(want) {
		return nil
	}
	f, err := c.d.files.acquire(c, file)
	if err != nil {
		return err
	}
	defer c.d.files.release(f)
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !fits(info, want) {
		c.dropFile(file)
		return fmt.Errorf("%w: file %q has %d bytes, want %d", shoal.ErrCorrupt, want.Path, info.Size(), want.Length)
	}
	if mode := fileMode(want); info.Mode().Perm() != mode {
		if err := f.Chmod(mode); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.touchFile(file)
	return nil
}

func (c *content) finishFolders() error {
	seen := map[string]bool{}
	for file := range c.m.Files() {
		for dir := range parents(c.at.name(file)) {
			if seen[dir] {
				break // and so are those above it
			}
			seen[dir] = true
			info, err := c.at.dir.Lstat(dir)
			if err != nil {
				return err
			}
			if info.Mode().Perm() == 0o755 {
				continue
			}
			if err := c.at.dir.Chmod(dir, 0o755); err != nil {
				return err
			}
			if err := syncDir(c.at.dir, dir); err != nil {
				return err
			}
		}
	}
	return nil
}

// moveToDest renames the data to the destination. The record goes first: it
// says that data is at the destination if it is no longer in the partial
// folder.
func (c *content) moveToDest() error {
	c.io.Lock()
	defer c.io.Unlock()
	if err := c.canPublish(); err != nil {
		return err
	}
	times := c.fileTimes()
	for file, t := range times {
		if t == noTime {
			return fmt.Errorf("%w: file %q was changed in the partial folder", shoal.ErrCorrupt, c.m.Files()[file].Path)
		}
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
		syncDir(c.d.root, path.Dir(dest)),
		syncDir(c.d.root, c.d.cfg.Partial),
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
		syncDir(c.d.root, c.d.cfg.Partial),
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
			err = errors.Join(d.root.Chmod(at, 0o755), syncDir(d.root, path.Dir(at)))
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
