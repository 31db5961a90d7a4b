package library

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/swarm"
)

// Reader reads parts of a content soon, whether they are here or not. It is for
// one goroutine at a time.
type Reader struct {
	lib      *Library
	manifest *shoal.Manifest
	pieces   swarm.Store // as of the last Wait; nil before the first
	release  func()      // ends the priority that the last Wait gave; nil for none
}

// Read returns a reader of a content that is here, or that a tracker knows, which
// it waits for. Nothing is fetched before [Reader.Wait]. The reader must be closed.
// [shoal.ErrNotFound] where nobody knows the content.
func (l *Library) Read(ctx context.Context, id shoal.ContentID) (*Reader, error) {
	if u := l.find(id); u != nil {
		if m := u.known(); m != nil {
			return &Reader{lib: l, manifest: m}, nil
		}
	}
	m, err := l.lookUp(ctx, id)
	if err != nil {
		return nil, err
	}
	return &Reader{lib: l, manifest: m}, nil
}

// Manifest is the content's.
func (r *Reader) Manifest() *shoal.Manifest { return r.manifest }

// Wait returns once piece first can be read, and until the next Wait or Close
// has it and the count-1 pieces after it fetched before others, first before all
// of them. The fetch of a content that nobody fetches is started, where
// Config.Pull allows that; it goes on after Close. The error is ctx's, or says why
// the piece will not come.
func (r *Reader) Wait(ctx context.Context, first, count int) error {
	for {
		p, err := r.attend(ctx)
		if err != nil {
			return err
		}
		before := r.release
		r.pieces, r.release = p.pieces, p.session.Want(first, count)
		if before != nil {
			before()
		}
		err = p.session.WaitPieces(ctx, first, 1)
		if err == nil || ctx.Err() != nil || errors.Is(err, shoal.ErrInvalid) {
			return err
		}
		select { // the session is over; another may follow
		case <-p.ended:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// attend returns the content's part in its swarm as soon as it has one.
func (r *Reader) attend(ctx context.Context) (presence, error) {
	for {
		if u := r.lib.find(r.manifest.ID()); u != nil {
			switch p := u.presence(); {
			case p.session != nil:
				return p, nil
			case p.running:
				select {
				case <-p.ready:
					continue
				case <-ctx.Done():
					return p, context.Cause(ctx)
				}
			}
		}
		if err := r.lib.pull(ctx, r.manifest, r.pieces != nil); err != nil {
			return presence{}, err
		}
	}
}

// ReadAt fills p with the bytes at off within a piece that Wait has returned for.
// [shoal.ErrNotFound] where the piece is gone since, and can be waited for again.
func (r *Reader) ReadAt(p []byte, piece int, off int64) error {
	if r.pieces == nil {
		return fmt.Errorf("read piece %d: %w", piece, shoal.ErrNotFound)
	}
	err := r.pieces.ReadAt(p, piece, off)
	if errors.Is(err, os.ErrClosed) { // the session was another's
		return fmt.Errorf("%w: %w", shoal.ErrNotFound, err)
	}
	return err
}

// File opens one of the content's files (an index), where all of the content is
// published. What is in place is somebody else's to change, and is not ok.
func (r *Reader) File(index int) (f *os.File, ok bool) {
	u := r.lib.find(r.manifest.ID())
	if u == nil {
		return nil, false
	}
	at, ok := u.published()
	if !ok {
		return nil, false
	}
	file := r.manifest.Files()[index]
	if r.manifest.IsFolder() {
		at = filepath.Join(at, filepath.FromSlash(file.Path))
	}
	f, err := openBelow(r.lib.cfg.Files, at)
	if err != nil {
		return nil, false // ReadAt says what is wrong
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() != file.Length {
		f.Close()
		return nil, false
	}
	return f, true
}

// openBelow opens a file for reading that is in dir, wherever links lead. It
// waits for no writer of a named pipe.
func openBelow(dir, path string) (*os.File, error) {
	name, err := filepath.Rel(dir, path)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
}

// Close ends the priority of what was waited for.
func (r *Reader) Close() error {
	if r.release != nil {
		r.release()
		r.release = nil
	}
	return nil
}
