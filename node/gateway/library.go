package gateway

import (
	"context"
	"os"

	"github.com/shoal-cdn/shoal"
)

// Library is where a gateway's contents come from. It must be safe for concurrent
// use.
type Library interface {
	// Open returns a content that is here, or can be fetched because its manifest is
	// known here or at the tracker, for which it waits. It need not fetch anything:
	// that begins with [Content.Wait]. The caller closes the content.
	// [shoal.ErrNotFound] where nobody knows it; [shoal.ErrUnavailable] where it
	// cannot be had now.
	Open(ctx context.Context, id shoal.ContentID) (Content, error)
}

// Content is a handle on a content for one request. Its methods are called by one
// goroutine at a time.
type Content interface {
	Manifest() *shoal.Manifest

	// Wait returns once piece first can be read; at once where it can be already.
	// Before that it has that piece and the count-1 after it fetched with priority,
	// first before the others. They are of one file. The priority holds until the
	// next Wait or Close. The fetch of a content that nobody fetches is started.
	// An error is ctx's, or says why the piece will not come.
	Wait(ctx context.Context, first, count int) error

	// ReadAt fills p with the bytes at off within a piece, which Wait has returned
	// for, or fails. [shoal.ErrNotFound]: the piece is gone meanwhile; it can be
	// waited for again.
	ReadAt(p []byte, piece int, off int64) error

	// File opens one of the manifest's files (an index) for reading, where all of it
	// is at its final place and nobody changes it there; not ok otherwise. The caller
	// owns the file, whose offset is its own.
	File(index int) (f *os.File, ok bool)

	// Close gives the handle up. It is called once, after all else.
	Close() error
}
