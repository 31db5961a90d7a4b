package memstore

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/store"
)

// content is one content's data, shared by all handles on it.
type content struct {
	m    *shoal.Manifest
	dest string // "" in place

	mu        sync.Mutex
	in        *inPlace // nil unless in place
	held      *shoal.PieceSet
	data      [][]byte // by piece; nil in place
	published bool
	ended     error // why nothing works any more
	handles   int
}

// handle is what one caller gets of a content.
type handle struct {
	*content
	once sync.Once
}

func (c *content) handle() *handle {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.handles++
	if c.ended == os.ErrClosed {
		c.ended = nil // all handles had been closed, not the store
	}
	return &handle{content: c}
}

// Close implements [store.Content].
func (h *handle) Close() error {
	h.once.Do(func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.handles--; h.handles == 0 && h.ended == nil {
			h.ended = os.ErrClosed
		}
	})
	return nil
}

func (c *content) Manifest() *shoal.Manifest { return c.m }

func (c *content) Pieces() *shoal.PieceSet {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.held.Clone()
}

func (c *content) ReadAt(p []byte, piece int, off int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.ended
	if err == nil {
		err = store.CheckRange(c.m, piece, off, len(p))
	}
	switch {
	case err != nil:
	case !c.held.Has(piece):
		err = shoal.ErrNotFound
	case c.in != nil:
		if err = c.in.readAt(c.m, p, piece, off); err != nil {
			c.dropFile(piece)
		}
	default:
		copy(p, c.data[piece][off:])
	}
	if err != nil {
		return fmt.Errorf("read piece %d of %s: %w", piece, c.m.ID().Short(), err)
	}
	return nil
}

// dropFile drops all pieces of the file that one is in.
func (c *content) dropFile(piece int) {
	file, _ := c.m.Locate(piece)
	for p := range c.held.Clone().All() {
		if f, _ := c.m.Locate(p); f == file {
			c.held.Remove(p)
		}
	}
}

func (c *content) WritePiece(piece int, data []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.ended
	if err == nil {
		err = store.CheckRange(c.m, piece, 0, len(data))
	}
	switch {
	case err != nil:
	case len(data) != c.m.PieceSize(piece):
		err = fmt.Errorf("%w: %d bytes, want %d", shoal.ErrInvalid, len(data), c.m.PieceSize(piece))
	case c.held.Has(piece):
	case c.in != nil || c.published:
		err = fmt.Errorf("%w: the content is published or in place", shoal.ErrConflict)
	default:
		c.data[piece] = append([]byte(nil), data...)
		c.held.Add(piece)
	}
	if err != nil {
		return fmt.Errorf("write piece %d of %s: %w", piece, c.m.ID().Short(), err)
	}
	return nil
}

func (c *content) Sync() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended
}

func (c *content) Publish() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.ended
	if missing := c.held.Len() - c.held.Count(); err == nil && missing > 0 {
		err = fmt.Errorf("%w: %d of %d pieces are missing", shoal.ErrConflict, missing, c.held.Len())
	}
	if err != nil {
		return fmt.Errorf("publish %s: %w", c.m.ID().Short(), err)
	}
	c.published = true
	return nil
}

// Path names no file, unless the content is in place.
func (c *content) Path() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.in != nil {
		return c.in.path
	}
	return filepath.Join(string(filepath.Separator), "memory", filepath.FromSlash(c.dest))
}

func (c *content) InPlace() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.in != nil
}

// fit is [store.Store]'s Create of a content that is there.
func (c *content) fit(dest string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.in != nil && (dest != "" || !c.held.Full()):
		return fmt.Errorf("destination %q: %w: the content is in place at %q", dest, shoal.ErrConflict, c.in.path)
	case c.in == nil && dest != "" && dest != c.dest:
		return fmt.Errorf("destination %q: %w: the content is at %q", dest, shoal.ErrConflict, c.dest)
	case c.published && !c.held.Full():
		c.published = false
	}
	return nil
}

func (c *content) moveInPlace(in *inPlace) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.in == nil {
		return fmt.Errorf("%w: the store has it already, at %q", shoal.ErrConflict, c.dest)
	}
	c.in, c.held = in, shoal.FullPieceSet(c.m.NumPieces())
	return nil
}

func (c *content) recheck(ctx context.Context, progress func(done, total int64)) error {
	c.mu.Lock()
	if c.in != nil {
		// Files that are right whatever their times are good again.
		if in, err := lookAt(c.m, c.in.path); err == nil {
			c.in = in
		}
	}
	c.mu.Unlock()
	var done int64
	for piece := range c.m.NumPieces() {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("recheck %s: %w", c.m.ID().Short(), err)
		}
		c.mu.Lock()
		if c.right(piece) {
			c.held.Add(piece)
		} else {
			c.held.Remove(piece)
		}
		c.mu.Unlock()
		done += int64(c.m.PieceSize(piece))
		if progress != nil {
			progress(done, c.m.Size())
		}
	}
	return nil
}

// right reports whether a piece's data is what it should be. It needs c.mu.
func (c *content) right(piece int) bool {
	if c.in == nil {
		return c.m.VerifyPiece(piece, c.data[piece])
	}
	buf := make([]byte, c.m.PieceSize(piece))
	return c.in.readAt(c.m, buf, piece, 0) == nil && c.m.VerifyPiece(piece, buf)
}

func (c *content) end(why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = why
}
