package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"

	"github.com/shoal-cdn/shoal"
	"golang.org/x/sync/errgroup"
)

// maxVerifiers bounds the pieces being hashed, each of which is in memory.
const maxVerifiers = 4

// verify hashes pieces on disk and calls done with each, in no set order, one
// call at a time: held is whether it was held before it was read, ok whether
// it is right. What cannot be read is not ok; an error means that pieces were
// left out.
func (c *content) verify(ctx context.Context, pieces *shoal.PieceSet, done func(piece int, held, ok bool)) error {
	g, ctx := errgroup.WithContext(ctx)
	next := make(chan int)
	g.Go(func() error {
		defer close(next)
		for piece := range pieces.All() {
			select {
			case next <- piece:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		return nil
	})
	var mu sync.Mutex
	for range min(runtime.GOMAXPROCS(0), maxVerifiers, pieces.Count()) {
		g.Go(func() error {
			v := verifier{c: c, buf: make([]byte, min(int64(c.m.PieceLength()), c.m.Size()))}
			defer v.close()
			for piece := range next {
				held, ok, err := v.check(piece)
				if err != nil {
					return err
				}
				mu.Lock()
				done(piece, held, ok)
				if c.d.hashed != nil {
					c.d.hashed(c)
				}
				mu.Unlock()
			}
			return nil
		})
	}
	return g.Wait()
}

// verifier reads pieces one after the other; it keeps the file open as long
// as they are in the same one.
type verifier struct {
	c    *content
	buf  []byte
	file int
	f    *os.File // nil at first, and where the file cannot be read
}

func (v *verifier) check(piece int) (held, ok bool, err error) {
	c := v.c
	c.io.RLock()
	defer c.io.RUnlock()
	if c.ended != nil {
		return false, false, c.ended
	}
	held = c.has(piece)
	file, offset := c.m.Locate(piece)
	if err := v.open(file); err != nil || v.f == nil {
		return held, false, err
	}
	data := v.buf[:c.m.PieceSize(piece)]
	if _, err := v.f.ReadAt(data, offset); err != nil {
		return held, false, nil
	}
	return held, c.m.VerifyPiece(piece, data), nil
}

func (v *verifier) open(file int) error {
	if v.f != nil && v.file == file {
		return nil
	}
	v.close()
	f, err := v.c.at.openRead(file)
	switch {
	case outOfFiles(err):
		return fmt.Errorf("hash: %w", err)
	case err == nil:
		v.f, v.file = f, file
	}
	return nil
}

func (v *verifier) close() {
	if v.f != nil {
		v.f.Close()
		v.f = nil
	}
}

// found makes pieces readable that were hashed and found right on disk: all of them
// before any bitmap is saved.
func (c *content) found(pieces ...int) {
	c.io.RLock()
	defer c.io.RUnlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, piece := range pieces {
		if !c.held.Add(piece) {
			continue
		}
		c.changed = true
		c.startTimer()
		if c.at.writable { // it may only be in the page cache
			file, _ := c.m.Locate(piece)
			c.pieces = append(c.pieces, piece)
			c.touchFile(file)
			c.touchFolders(c.at.name(file))
		}
	}
}

// Recheck implements [Store].
func (d *Disk) Recheck(ctx context.Context, id shoal.ContentID, progress func(done, total int64)) error {
	opened, err := d.Open(id)
	if err != nil {
		return err
	}
	h := opened.(*handle)
	err = h.content.recheck(ctx, progress)
	if err = errors.Join(err, h.Close()); err != nil {
		return fmt.Errorf("recheck %s: %w", id.Short(), err)
	}
	return nil
}

func (c *content) recheck(ctx context.Context, progress func(done, total int64)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(c.d.ctx, func() { cancel(os.ErrClosed) })()

	c.io.RLock()
	var before []int64
	var err error
	if !c.at.writable {
		before, err = c.fileTimes()
	}
	c.io.RUnlock()
	if err != nil {
		return err
	}

	var done int64
	err = c.verify(ctx, shoal.FullPieceSet(c.m.NumPieces()), func(piece int, held, ok bool) {
		switch {
		case ok:
			c.found(piece)
		case held: // a piece that was not may be being written just now
			c.drop(piece)
		}
		done += int64(c.m.PieceSize(piece))
		if progress != nil {
			progress(done, c.m.Size())
		}
	})

	c.io.Lock()
	defer c.io.Unlock()
	if c.ended != nil {
		return c.ended
	}
	if err == nil && before != nil && !c.at.writable {
		var after []int64
		if after, err = c.fileTimes(); err == nil {
			err = c.confirmTimes(before, after)
		}
	}
	return errors.Join(err, c.flush())
}
