package store

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/shoal-cdn/shoal"
)

// Create implements [Store].
func (d *Disk) Create(m *shoal.Manifest, dest string) (Content, error) {
	want := dest
	if want == "" {
		want = m.Name()
	}
	if err := d.checkDest(want); err != nil {
		return nil, fmt.Errorf("create %s: %w", m.ID().Short(), err)
	}
	var h Content
	err := d.with(m.ID(), func(e *entry) error {
		err := d.resume(e, m, dest)
		if errors.Is(err, shoal.ErrNotFound) {
			err = d.createNew(e, m, want)
		}
		if err == nil {
			h = e.handle()
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("create %s: %w", m.ID().Short(), err)
	}
	return h, nil
}

// resume opens the content if there is a good record of it, and repairs what
// Create promises to. It fails with ErrNotFound where there is no such record.
func (d *Disk) resume(e *entry, m *shoal.Manifest, dest string) error {
	if err := d.open(e, m.ID(), m); err != nil {
		if errors.Is(err, shoal.ErrCorrupt) {
			return fmt.Errorf("%w: %w", shoal.ErrNotFound, err)
		}
		return err
	}
	err := e.c.fit(dest)
	if err != nil && e.handles == 0 {
		err = errors.Join(err, e.c.shut(fs.ErrClosed))
		e.c = nil
	}
	return err
}

// createNew starts a content that there is no record of. Data that a lost
// record leaves in the partial folder is hashed and used.
func (d *Disk) createNew(e *entry, m *shoal.Manifest, dest string) error {
	id := m.ID()
	undo, err := d.claim(id, dest)
	if err != nil {
		return err
	}
	if err := d.checkFree(dest); err != nil {
		undo()
		return err
	}
	err = func() error {
		if err := d.removeState(id, extBitmap, extJournal); err != nil {
			return err
		}
		if err := d.writeState(id, extTorrent, m.Torrent()); err != nil {
			return err
		}
		if err := d.writeRecord(id, record{Dest: dest}); err != nil {
			return err
		}
		return d.open(e, id, m)
	}()
	if err != nil {
		d.forget(id)
		err = errors.Join(err, d.removeState(id, extRecord, extTorrent))
	}
	return err
}

// fit makes sure that a content that exists is what Create was asked for.
func (c *content) fit(dest string) error {
	c.io.Lock()
	defer c.io.Unlock()
	intact := c.Pieces().Full() && !c.emptyMissing
	switch {
	case c.rec.inPlace() && dest != "":
		return fmt.Errorf("destination %q: %w: the content is in place at %q", dest, shoal.ErrConflict, c.rec.Path)
	case c.rec.inPlace() && !intact:
		return fmt.Errorf("%w: the content is in place at %q, where files have changed; delete it first", shoal.ErrConflict, c.rec.Path)
	case !c.rec.inPlace() && dest != "" && dest != c.rec.Dest:
		return fmt.Errorf("destination %q: %w: the content is at %q", dest, shoal.ErrConflict, c.rec.Dest)
	case c.rec.Published && !intact:
		return c.unpublish()
	}
	return nil
}

// Open implements [Store].
func (d *Disk) Open(id shoal.ContentID) (Content, error) {
	var h Content
	err := d.with(id, func(e *entry) error {
		err := d.open(e, id, nil)
		if err == nil {
			h = e.handle()
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", id.Short(), err)
	}
	return h, nil
}

// open makes sure that the entry's content is open. m may be nil: it is read
// from the state folder then.
func (d *Disk) open(e *entry, id shoal.ContentID, m *shoal.Manifest) error {
	if e.c != nil {
		return nil
	}
	if !d.isKnown(id) {
		return shoal.ErrNotFound
	}
	rec, err := d.readRecord(id)
	if err != nil {
		return err
	}
	if m == nil {
		if m, err = d.readManifest(id); err != nil {
			return err
		}
	}
	c := newContent(d, m, rec)
	if err := c.load(); err != nil {
		c.release()
		return err
	}
	e.c, e.handles = c, 0
	return nil
}

func (d *Disk) readManifest(id shoal.ContentID) (*shoal.Manifest, error) {
	b, err := d.readState(id, extTorrent)
	if err != nil {
		return nil, fmt.Errorf("manifest: %w: %w", shoal.ErrCorrupt, err)
	}
	m, err := shoal.DecodeManifest(b)
	if err != nil {
		return nil, fmt.Errorf("manifest: %w: %w", shoal.ErrCorrupt, err)
	}
	if m.ID() != id {
		return nil, fmt.Errorf("manifest: %w: it is of content %s", shoal.ErrCorrupt, m.ID())
	}
	return m, nil
}

// partialPath is where a content's data arrives, below the root.
func (d *Disk) partialPath(id shoal.ContentID) string { return path.Join(d.cfg.Partial, id.String()) }
