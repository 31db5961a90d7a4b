package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"unicode/utf8"

	"github.com/shoal-cdn/shoal"
)

// Seed implements [Store].
func (d *Disk) Seed(m *shoal.Manifest, path string) (Content, error) {
	id := m.ID()
	var h Content
	err := d.with(id, func(e *entry) error {
		rec, err := recordInPlace(m, path)
		if err != nil {
			return err
		}
		if d.isKnown(id) {
			old, err := d.readRecord(id)
			switch {
			case errors.Is(err, shoal.ErrCorrupt): // nothing to keep
			case err != nil:
				return err
			case !old.inPlace():
				return fmt.Errorf("%w: the store has it already, at %q; delete it first", shoal.ErrConflict, old.Dest)
			}
		}
		if e.c != nil {
			err = e.c.moveInPlace(rec)
		} else {
			err = d.seedNew(e, m, rec)
		}
		if err == nil {
			h = e.handle()
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("seed %q as %s: %w", path, id.Short(), err)
	}
	return h, nil
}

// seedNew writes the record last: before that, the content is not there.
func (d *Disk) seedNew(e *entry, m *shoal.Manifest, rec record) error {
	id := m.ID()
	full := shoal.FullPieceSet(m.NumPieces())
	if err := d.writeState(id, extBitmap, encodeBitmap(id, full)); err != nil {
		return err
	}
	if err := d.writeState(id, extTorrent, m.Torrent()); err != nil {
		return err
	}
	if err := d.writeRecord(id, rec); err != nil {
		return err
	}
	d.know(id)
	return d.open(e, id, m)
}

// moveInPlace replaces where a content in place is, under its open handles.
func (c *content) moveInPlace(rec record) error {
	c.io.Lock()
	defer c.io.Unlock()
	if err := c.d.writeRecord(c.id, rec); err != nil {
		return err
	}
	c.leave()
	c.rec, c.emptyMissing = rec, false
	if err := c.enter(); err != nil {
		return err
	}
	c.mu.Lock()
	c.held, c.changed = shoal.FullPieceSet(c.m.NumPieces()), true
	c.mu.Unlock()
	return c.flush()
}

// recordInPlace checks that the files at path look like m's and notes their
// times of modification.
func recordInPlace(m *shoal.Manifest, path string) (record, error) {
	if !filepath.IsAbs(path) || filepath.Clean(path) != path || !utf8.ValidString(path) {
		return record{}, fmt.Errorf("%w: want a clean absolute path in UTF-8", shoal.ErrInvalid)
	}
	at, err := placeAt(m, path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w: %w", shoal.ErrNotFound, err)
		}
		return record{}, err
	}
	defer at.close()
	rec := record{Path: path, Mtimes: make([]int64, len(m.Files()))}
	for i, f := range m.Files() {
		info, err := at.lstat(i)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return record{}, fmt.Errorf("%w: file %q is missing", shoal.ErrChanged, f.Path)
		case err != nil:
			return record{}, err
		case !fits(info, f):
			return record{}, fmt.Errorf("%w: file %q has %d bytes, want %d", shoal.ErrChanged, f.Path, info.Size(), f.Length)
		}
		rec.Mtimes[i] = info.ModTime().UnixNano()
	}
	return rec, nil
}

// placeAt is where a content's files are, given its file's or folder's path
// anywhere on the machine. The path itself may be a symbolic link.
func placeAt(m *shoal.Manifest, path string) (place, error) {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return place{m: m}, err
	}
	at := place{m: m}
	if !m.IsFolder() {
		path, at.single = filepath.Split(path)
	}
	at.dir, err = os.OpenRoot(path)
	return at, err
}
