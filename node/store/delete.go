package store

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"syscall"

	"github.com/shoal-cdn/shoal"
)

// Delete implements [Store]. What is known of the content goes last, so that
// an interrupted Delete can be repeated.
func (d *Disk) Delete(id shoal.ContentID) error {
	err := d.with(id, func(e *entry) error {
		if !d.isKnown(id) {
			return shoal.ErrNotFound
		}
		if e.c != nil {
			e.c.io.Lock()
			e.c.end(shoal.ErrNotFound)
			e.c.io.Unlock()
			e.c = nil
		}
		if err := d.deleteData(id); err != nil {
			return err
		}
		if err := d.removeState(id, extBitmap, extJournal, extTorrent, extRecord); err != nil {
			return err
		}
		d.forget(id)
		return nil
	})
	if err != nil {
		return fmt.Errorf("delete %s: %w", id.Short(), err)
	}
	return nil
}

func (d *Disk) deleteData(id shoal.ContentID) error {
	if err := d.deletePublished(id); err != nil {
		return err
	}
	return d.root.RemoveAll(d.partialPath(id))
}

// deletePublished removes exactly the content's files; whatever else lies in
// its folder stays. Without a readable record or manifest it cannot know them
// and removes none.
func (d *Disk) deletePublished(id shoal.ContentID) error {
	rec, err := d.readRecord(id)
	if err == nil && !rec.Published {
		return nil
	}
	var m *shoal.Manifest
	if err == nil {
		m, err = d.readManifest(id)
	}
	if err != nil {
		d.cfg.Log.Warn("published files, if any, are left where they are", "content", id, "err", err)
		return nil
	}
	c := newContent(d, m, rec)
	if exists(d.root, c.partialData()) {
		return nil // it never came to the rename
	}
	if err := c.enter(); err != nil {
		return err
	}
	defer c.at.close()
	d.moving.Lock()
	defer d.moving.Unlock()
	if c.at.dir == nil {
		return nil
	}
	if err := c.at.removeAll(); err != nil {
		return err
	}
	if m.IsFolder() {
		d.root.Remove(d.destPath(rec.Dest)) // stays where it is not empty
	}
	d.pruneFolders(rec.Dest)
	return nil
}

// removeAll removes the content's files and the folders that leaves empty. It fails
// where a link has been put in a folder's place that leads out of the content's.
func (p place) removeAll() error {
	p, done, err := p.fix()
	if err != nil {
		return err
	}
	defer done()
	folders := map[string]bool{}
	for file := range p.m.Files() {
		info, err := p.lstat(file)
		if err == nil && !info.IsDir() {
			err = p.dir.Remove(p.name(file))
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
			return err
		}
		for dir := range parents(p.name(file)) {
			folders[dir] = dir != "."
		}
	}
	var paths []string
	for dir, below := range folders {
		if below {
			paths = append(paths, dir)
		}
	}
	// Longer paths first: a folder goes before the one it is in.
	slices.SortFunc(paths, func(a, b string) int { return len(b) - len(a) })
	for _, dir := range paths {
		if info, err := p.dir.Lstat(dir); err == nil && info.IsDir() {
			p.dir.Remove(dir) // stays where it is not empty
		}
	}
	return nil
}
