package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/shoal-cdn/shoal"
)

// content is a content that is open, shared by all handles on it.
type content struct {
	d  *Disk
	m  *shoal.Manifest
	id shoal.ContentID

	publishing sync.Mutex // one Publish at a time; taken before io
	syncing    sync.Mutex // one flush at a time, so bitmaps reach the disk in order; taken after io

	// io is held shared over reads, writes and syncs, and exclusively where
	// the content moves or ends. It guards the fields below.
	io           sync.RWMutex
	rec          record
	at           place
	journal      *journal // of a partial content
	emptyMissing bool     // of a published content, an empty file is gone
	ended        error    // why nothing works any more

	read atomic.Bool // by somebody, since it was opened

	// mu guards the fields below; it is never held over I/O.
	mu      sync.Mutex
	held    *shoal.PieceSet // can be read
	durable *shoal.PieceSet // what the bitmap on disk claims
	ready   []bool          // by file of a partial content: it can be written to
	written                 // since the last flush
	timer   *time.Timer     // starts a flush; nil while nothing is to be flushed
	syncErr error           // of a flush in the background, until somebody is told
}

func newContent(d *Disk, m *shoal.Manifest, rec record) *content {
	return &content{
		d: d, m: m, id: m.ID(), rec: rec,
		held: shoal.NewPieceSet(m.NumPieces()), durable: shoal.NewPieceSet(m.NumPieces()),
	}
}

// Manifest implements [Content].
func (c *content) Manifest() *shoal.Manifest { return c.m }

// Pieces implements [Content].
func (c *content) Pieces() *shoal.PieceSet {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.held.Clone()
}

// Path implements [Content].
func (c *content) Path() string {
	c.io.RLock()
	defer c.io.RUnlock()
	if c.rec.inPlace() {
		return c.rec.Path
	}
	return filepath.Join(c.d.abs, filepath.FromSlash(c.d.destPath(c.rec.Dest)))
}

// InPlace implements [Content].
func (c *content) InPlace() bool {
	c.io.RLock()
	defer c.io.RUnlock()
	return c.rec.inPlace()
}

// ReadAt implements [Content].
func (c *content) ReadAt(p []byte, piece int, off int64) error {
	if err := c.readAt(p, piece, off); err != nil {
		return fmt.Errorf("read piece %d of %s: %w", piece, c.id.Short(), err)
	}
	return nil
}

func (c *content) readAt(p []byte, piece int, off int64) error {
	c.io.RLock()
	defer c.io.RUnlock()
	if c.ended != nil {
		return c.ended
	}
	if err := CheckRange(c.m, piece, off, len(p)); err != nil {
		return err
	}
	if !c.has(piece) {
		return shoal.ErrNotFound
	}
	file, start := c.m.Locate(piece)
	f, err := c.openFor(file, len(p))
	if err != nil {
		return c.readFailed(piece, file, err)
	}
	defer c.d.files.release(f)
	if _, err := f.value.ReadAt(p, start+off); err != nil {
		return c.readFailed(piece, file, err)
	}
	c.wasRead()
	if c.rec.inPlace() {
		return c.checkUnchanged(f.value, file)
	}
	return nil
}

// readFailed drops what a failed read shows not to be there. Anything else,
// such as too many open files, says nothing about the data.
func (c *content) readFailed(piece, file int, err error) error {
	gone := errors.Is(err, fs.ErrNotExist)
	switch {
	case c.rec.inPlace() && (gone || errors.Is(err, io.EOF)):
		c.dropFile(file)
		return fmt.Errorf("%w: %w", shoal.ErrChanged, err)
	case gone:
		c.dropFile(file)
	case errors.Is(err, io.EOF), errors.Is(err, syscall.EIO):
		c.drop(piece)
	}
	return err
}

// checkUnchanged is called after a read: what was read before the file was
// seen unchanged was read from the file that was hashed.
func (c *content) checkUnchanged(f *dataFile, file int) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	want := c.m.Files()[file]
	if fits(info, want) && info.ModTime().UnixNano() == c.rec.Mtimes[file] {
		return nil
	}
	c.dropFile(file)
	return fmt.Errorf("%w: %q", shoal.ErrChanged, want.Path)
}

// WritePiece implements [Content].
func (c *content) WritePiece(piece int, data []byte) error {
	if err := c.writePiece(piece, data); err != nil {
		return fmt.Errorf("write piece %d of %s: %w", piece, c.id.Short(), err)
	}
	return nil
}

func (c *content) writePiece(piece int, data []byte) error {
	c.io.RLock()
	defer c.io.RUnlock()
	if c.ended != nil {
		return c.ended
	}
	if err := CheckRange(c.m, piece, 0, len(data)); err != nil {
		return err
	}
	if n := c.m.PieceSize(piece); len(data) != n {
		return fmt.Errorf("%w: %d bytes, want %d", shoal.ErrInvalid, len(data), n)
	}
	if err := c.takeSyncErr(); err != nil {
		return err
	}
	switch {
	case c.has(piece):
		return nil
	case !c.at.writable:
		return fmt.Errorf("%w: the content is published or in place", shoal.ErrConflict)
	}
	file, start := c.m.Locate(piece)
	f, err := c.openFor(file, len(data))
	if err != nil {
		return err
	}
	defer c.d.files.release(f)
	if err := f.value.write(data, start); err != nil {
		return err
	}
	if err := c.journal.append(piece); err != nil {
		return err
	}
	if !c.wrote(piece, file, len(data)) {
		c.d.files.keep(f)
	}
	return nil
}

// CheckRange says whether n bytes at off lie within a piece of m; the error
// is of kind [shoal.ErrInvalid].
func CheckRange(m *shoal.Manifest, piece int, off int64, n int) error {
	if uint(piece) >= uint(m.NumPieces()) {
		return fmt.Errorf("%w: there are %d pieces", shoal.ErrInvalid, m.NumPieces())
	}
	if size := int64(m.PieceSize(piece)); off < 0 || off > size || int64(n) > size-off {
		return fmt.Errorf("%w: %d bytes at %d of %d", shoal.ErrInvalid, n, off, size)
	}
	return nil
}

func (c *content) has(piece int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.held.Has(piece)
}

// shut ends the content: everything written is synced, then operations fail
// with why.
func (c *content) shut(why error) error {
	err := c.Sync() // most of it while reads go on
	c.io.Lock()
	defer c.io.Unlock()
	if c.ended != nil {
		return nil
	}
	err = errors.Join(err, c.flush())
	c.end(why)
	return err
}

// release closes everything without a sync.
func (c *content) release() {
	c.io.Lock()
	defer c.io.Unlock()
	c.end(os.ErrClosed)
}

func (c *content) end(why error) {
	c.ended = why
	c.mu.Lock()
	c.stopTimer()
	c.mu.Unlock()
	c.leave()
}
