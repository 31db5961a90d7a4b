package store

import (
	"context"

	"github.com/shoal-cdn/shoal"
)

// Content is a handle on one content's data. It is safe for concurrent use.
// After [Store.Delete] its methods fail with [shoal.ErrNotFound]; once the last
// handle on a content or the store is closed, with [os.ErrClosed].
type Content interface {
	Manifest() *shoal.Manifest

	// Pieces returns a copy of the set of pieces that can be read now. It
	// grows by WritePiece; it shrinks by a failed sync, a read error, a file
	// in place that changed, and by Recheck.
	Pieces() *shoal.PieceSet

	// ReadAt fills p with the bytes at off within piece; it never returns
	// fewer. It keeps no reference to p, which holds garbage after an error:
	// ErrInvalid where the range is not within the piece, ErrNotFound where
	// the piece is not held, ErrChanged where its file was seeded in place
	// and is no longer what it was; its pieces are then no longer held.
	// Any other error is the disk's.
	ReadAt(p []byte, piece int, off int64) error

	// WritePiece stores a whole piece, which the caller has verified, and
	// keeps no reference to data. Writing a piece that is held is no error
	// and has no effect. After an error, such as a full disk, the piece is not
	// held. A sync in the background that failed is reported here, once; the
	// pieces it concerned are no longer held. A content that is published or
	// in place takes no pieces: ErrConflict.
	WritePiece(piece int, data []byte) error

	// Sync makes every piece held now durable, and then the record of it.
	// Where the data could not be made durable, the pieces concerned are no
	// longer held.
	Sync() error

	// Publish moves a complete content to its destination, all of it at once
	// and durably: files have mode 0644, executables and folders 0755.
	// ErrConflict where pieces are missing or something has appeared at the
	// destination, ErrCorrupt where somebody has changed the data; the content
	// stays unpublished then. Publishing twice, or a content in place, is no
	// error and has no effect.
	Publish() error

	// Path is where the content is or will be once published, absolute.
	Path() string
	// InPlace reports whether the content came from Seed.
	InPlace() bool

	// Close syncs and gives up this handle; other handles on the content stay
	// good. Closing twice is no error.
	Close() error
}

// Store holds contents, at most one copy of each. It is safe for concurrent
// use. Contents it hands out must be closed.
type Store interface {
	// Create returns the content of m, new or resumed with what is there.
	// dest is where it will be published: a slash-separated path relative to
	// the store's files folder; "" means m's name for a new content and
	// wherever it is for one that is there. A published content with missing
	// or changed files is taken back from its destination for repair.
	//
	// ErrInvalid where dest is not such a path. ErrConflict where dest, or a
	// folder on the way, is taken by another content or by something else;
	// where the content is there with another dest; and where it is in place
	// and dest is not "" or its files have changed.
	Create(m *shoal.Manifest, dest string) (Content, error)

	// Seed serves the file or folder at path, which is absolute, in place; the
	// store never writes to it. The caller has just built m from it: the store
	// trusts that and records each file's size and time of modification, by
	// which it notices changes from then on. Seeding a content again replaces
	// what was recorded, also for handles that are open.
	//
	// ErrInvalid where path is not absolute, ErrNotFound where nothing is
	// there, ErrChanged where a file's presence or size is not as in m,
	// ErrConflict where the content is in the store and not in place.
	Seed(m *shoal.Manifest, path string) (Content, error)

	// Open returns a content that is there: ErrNotFound where it is not,
	// ErrCorrupt where its state cannot be read (Create and Delete still
	// work). It hashes data that it has reason to doubt, which may take long;
	// closing the store ends that.
	Open(id shoal.ContentID) (Content, error)

	// List returns the contents there are, ordered by ID.
	List() ([]shoal.ContentID, error)

	// Delete removes a content: its data, unless it is in place, and what is
	// known of it, even while it is open. Folders left empty go too.
	// ErrNotFound where it is not there.
	Delete(id shoal.ContentID) error

	// Recheck hashes all of a content's data anew, so that Pieces is what is
	// right on disk: pieces found wrong are dropped, others found right are
	// added. That pieces were dropped is no error. progress, unless nil, is
	// called with bytes, one call at a time, from any goroutine.
	Recheck(ctx context.Context, id shoal.ContentID, progress func(done, total int64)) error

	// Close syncs and closes all contents and gives up the store. Closing
	// twice is no error.
	Close() error
}
