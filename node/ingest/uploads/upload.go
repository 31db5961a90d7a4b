package uploads

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io/fs"
	"path"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/ingest/api"
)

const (
	descriptionFile = "description.json"
	completeFile    = "complete.json"
	dataDir         = "data"
)

// Upload is one upload. It is safe for concurrent use.
type Upload struct {
	store    *Store
	rec      record            // without its digests
	key      [sha256.Size]byte // of rec, its digests included
	digested bool              // it had some
	at       string            // absolute
	self     fs.FileInfo       // of the description: another file by that name is another upload
	left     atomic.Bool       // nothing of it is opened any more

	chunks     layout         // as they are sent
	writing    [64]sync.Mutex // chunk k is written under the lock k mod 64
	refreshing sync.Mutex     // taken before mu
	refreshed  atomic.Int64   // when, ns since 1970
	completing chan struct{}  // capacity 1: held by whoever completes it
	appending  appender       // used by one commit at a time

	mu       sync.Mutex
	digests  []api.Digest        // of the chunks, as described; nil where that does not matter any more: see slim
	ledger   *ledger             // what is durable; nil where that does not matter any more: see slim
	held     *shoal.PieceSet     // chunks that can be read: what is durable, and what has been written since
	fresh    map[int]api.Digest  // held, and not durable yet
	next     *batch              // what the next commit is for; nil for nothing
	running  *batch              // the commit that is under way; nil for none
	failure  error               // of the last commit
	using    int                 // requests; see Use
	folders  map[string]struct{} // with new entries
	read     map[string]int64    // how far the logs of others have been read
	progress time.Time           // when the last chunk became durable, or it was created
	manifest *shoal.Manifest     // of the content; nil while it is not known
	pieces   *shoal.PieceSet     // of the content, that can be read; with a torrent that is held
	proven   *shoal.PieceSet     // of those, the ones that this process has hashed
	times    []int64             // once it is complete: when its files were changed, ns
	ended    error               // why nothing works any more
}

// undigested reports whether nothing says what chunks should be.
func (u *Upload) undigested() bool { return u.rec.Content == nil && !u.digested }

// Undigested reports whether there is nothing but a request's own digest to verify chunks against.
func (u *Upload) Undigested() bool { return u.undigested() }

// Task is its ID.
func (u *Upload) Task() string { return u.rec.Task }

// Distribute is the task that it asks for; nil for none. The caller must not change it.
func (u *Upload) Distribute() *api.Distribute { return u.rec.Distribute }

// Path is where the file or folder is, absolute.
func (u *Upload) Path() string { return filepath.Join(u.at, dataDir, u.rec.Name) }

// ChunkSize is the length of chunk k; not ok where there is no such chunk.
func (u *Upload) ChunkSize(k int) (size int, ok bool) {
	if uint(k) >= uint(u.chunks.n) {
		return 0, false
	}
	_, _, size = u.chunks.at(k)
	return size, true
}

// Manifest is that of the content; nil while it is not known.
func (u *Upload) Manifest() *shoal.Manifest {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.manifest
}

// Complete reports whether all of it is here, verified.
func (u *Upload) Complete() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.complete()
}

// complete needs mu.
func (u *Upload) complete() bool { return u.times != nil }

// shape is where the content's pieces are, or its chunks while it has none.
func (u *Upload) shape() layout {
	if m := u.Manifest(); m != nil {
		return layoutOf(m)
	}
	return u.chunks
}

// Created is when it was described first.
func (u *Upload) Created() time.Time { return u.rec.Created }

// touchFolders notes that a file at name is new, and so may be every folder on the way.
func (u *Upload) touchFolders(name string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for dir := path.Dir(name); ; dir = path.Dir(dir) {
		u.folders[dir] = struct{}{}
		if dir == "." {
			return
		}
	}
}

// end lets go of everything; cause is what later calls answer. The data stays.
func (u *Upload) end(ctx context.Context, cause error) {
	u.mu.Lock()
	if u.ended != nil {
		u.mu.Unlock()
		return
	}
	u.ended = cause
	u.mu.Unlock()
	_ = u.Sync(ctx) // what fails here was promised to nobody
	u.left.Store(true)
	u.closeAll()
}

// same reports whether another description is of this upload.
func (u *Upload) same(r record) (bool, error) {
	key, err := r.key()
	return bytes.Equal(key[:], u.key[:]), err
}

// Chunks is how many there are.
func (u *Upload) Chunks() int { return u.chunks.n }
