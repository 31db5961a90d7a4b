package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/shoal-cdn/shoal"
)

const (
	// waitTime is how long a read waits for one piece: less than the 60 s for which
	// nginx and others wait for their upstream, so that their log has our reason.
	waitTime = 50 * time.Second

	// How far ahead of the reader pieces are asked for: as many bytes as a fast path
	// has under way, and some pieces where those are large.
	aheadBytes  = 8 << 20
	aheadPieces = 4
)

// errSlow is why a read gives up.
var errSlow = fmt.Errorf("%w: the piece did not come in %v", shoal.ErrUnavailable, waitTime)

// reader is a file of a content, whether it is here or arrives. It waits for the
// pieces that it reads. [http.ServeContent] leaves a goroutine behind that may
// still read when a multipart answer has failed, so its methods take turns, and
// close is the last to have one.
type reader struct {
	ctx    context.Context // ends waits
	cancel context.CancelFunc
	first  int   // piece of the file
	length int64 // of the file

	mu       sync.Mutex
	c        Content // nil after close
	m        *shoal.Manifest
	pos, end int64 // end: where reading is to stop, as far as is known
	piece    int   // that Wait was called for last; -1 for none
}

func newReader(ctx context.Context, c Content, file int) *reader {
	ctx, cancel := context.WithCancel(ctx)
	m := c.Manifest()
	f := m.Files()[file]
	return &reader{ctx: ctx, cancel: cancel, c: c, m: m, first: f.FirstPiece, length: f.Length, end: f.Length, piece: -1}
}

// Seek implements [io.Seeker].
func (r *reader) Seek(offset int64, whence int) (int64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch whence {
	case io.SeekCurrent:
		offset += r.pos
	case io.SeekEnd:
		offset += r.length
	}
	if offset < 0 {
		return 0, fmt.Errorf("seek to %d: %w", offset, shoal.ErrInvalid)
	}
	r.pos, r.end = offset, r.length
	return offset, nil
}

// expect says that n more bytes will be read, so that nothing beyond is fetched
// for them.
func (r *reader) expect(n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.end = r.pos + min(n, r.length-r.pos)
}

// Read implements [io.Reader]. It reads from one piece at a time.
func (r *reader) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.c == nil:
		return 0, os.ErrClosed
	case r.pos >= r.end:
		return 0, io.EOF
	case len(p) == 0:
		return 0, nil
	}
	length := int64(r.m.PieceLength())
	piece, off := r.first+int(r.pos/length), r.pos%length
	p = p[:min(int64(len(p)), r.end-r.pos, length-off)]
	err := r.read(p, piece, off)
	if errors.Is(err, shoal.ErrNotFound) { // lost since it was waited for
		r.piece = -1
		if err = r.read(p, piece, off); errors.Is(err, shoal.ErrNotFound) {
			err = fmt.Errorf("%w: %v", shoal.ErrUnavailable, err) // it is the piece that was not found
		}
	}
	if err != nil {
		return 0, err
	}
	r.pos += int64(len(p))
	return len(p), nil
}

// read waits where it enters another piece.
func (r *reader) read(p []byte, piece int, off int64) error {
	if piece != r.piece {
		ctx, cancel := context.WithTimeoutCause(r.ctx, waitTime, errSlow)
		defer cancel()
		if err := r.c.Wait(ctx, piece, r.ahead(piece)); err != nil {
			if r.ctx.Err() == nil && ctx.Err() != nil {
				return fmt.Errorf("piece %d: %w", piece, context.Cause(ctx))
			}
			return err
		}
		r.piece = piece
	}
	return r.c.ReadAt(p, piece, off)
}

// ahead is how many pieces, this one included, to ask for.
func (r *reader) ahead(piece int) int {
	length := int64(r.m.PieceLength())
	last := r.first + int((r.end-1)/length)
	return min(max(aheadPieces, int(aheadBytes/length)), last-piece+1)
}

// close ends a read that waits, and gives the content up.
func (r *reader) close() error {
	r.cancel()
	r.mu.Lock()
	defer r.mu.Unlock()
	err := r.c.Close()
	r.c = nil
	return err
}
