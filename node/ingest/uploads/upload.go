package uploads

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
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
	store *Store
	rec   record
	key   [sha256.Size]byte // of rec
	root  *os.Root          // its folder
	at    string            // absolute
	self  fs.FileInfo       // of the description: another file by that name is another upload

	chunks     layout         // as they are sent
	writing    [64]sync.Mutex // chunk k is written under the lock k mod 64
	refreshing sync.Mutex     // taken before mu
	refreshed  atomic.Int64   // when, ns since 1970
	completing chan struct{}  // capacity 1: held by whoever completes it
	appending  appender       // used by one commit at a time

	mu       sync.Mutex
	ledger   *ledger             // what is durable
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

// openUpload reads an upload that is in the store's folder.
func (s *Store) openUpload(task string) (_ *Upload, err error) {
	root, err := s.root.OpenRoot(task)
	if err != nil {
		return nil, gone(task, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, root.Close())
		}
	}()
	self, err := root.Stat(descriptionFile)
	if err != nil {
		return nil, gone(task, err)
	}
	b, err := readFile(root, descriptionFile, 2*api.MaxDescriptionBytes)
	if err != nil {
		return nil, gone(task, err)
	}
	rec, err := decodeRecord(task, b)
	if err != nil {
		return nil, fmt.Errorf("description: %w", err)
	}
	u := &Upload{
		store: s, rec: rec, root: root, at: filepath.Join(s.abs, task), self: self,
		completing: make(chan struct{}, 1),
		fresh:      make(map[int]api.Digest), folders: make(map[string]struct{}), read: make(map[string]int64),
	}
	if u.key, err = rec.key(); err != nil {
		return nil, err
	}
	u.chunks = layout{name: rec.Name, size: rec.Size, chunk: rec.ChunkSize, n: rec.Chunks}
	if rec.Content != nil {
		if u.manifest, err = u.readTorrent(*rec.Content); err != nil {
			return nil, err
		}
		u.chunks = layoutOf(u.manifest)
	}
	u.ledger = newLedger(u.chunks.n, u.undigested())
	u.held = shoal.NewPieceSet(u.chunks.n)
	u.proven = shoal.NewPieceSet(u.chunks.n)
	u.pieces = u.held
	u.progress = self.ModTime()
	if err := u.Refresh(); err != nil {
		return nil, err
	}
	return u, nil
}

func torrentName(id shoal.ContentID) string { return id.String() + ".torrent" }

func (u *Upload) readTorrent(id shoal.ContentID) (*shoal.Manifest, error) {
	b, err := readFile(u.root, torrentName(id), shoal.MaxTorrentSize)
	if err != nil {
		return nil, gone(u.rec.Task, err)
	}
	m, err := shoal.DecodeManifest(b)
	if err == nil && m.ID() != id {
		err = fmt.Errorf("%w: it is of content %s", shoal.ErrCorrupt, m.ID().Short())
	}
	if err != nil {
		return nil, fmt.Errorf("torrent of upload %s: %w: %w", u.rec.Task, shoal.ErrCorrupt, err)
	}
	return m, nil
}

// undigested reports whether nothing says what chunks should be.
func (u *Upload) undigested() bool { return u.rec.Content == nil && len(u.rec.Digests) == 0 }

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

// Pieces is a copy of the set of the content's pieces that can be read, for an upload
// whose manifest is known.
func (u *Upload) Pieces() *shoal.PieceSet {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.pieces.Clone()
}

// Has reports whether chunk k can be read, durable or not.
func (u *Upload) Has(k int) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.held.Has(k)
}

// Missing is which chunks from first up to end are not durable, and the lowest of all.
func (u *Upload) Missing(first, end int) (missing []api.Run, next int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.complete() {
		return []api.Run{}, u.chunks.n
	}
	return u.ledger.missing(first, end, api.MaxMissing), u.nextChunk()
}

// nextChunk needs mu.
func (u *Upload) nextChunk() int {
	if runs := u.ledger.missing(0, u.chunks.n, 1); len(runs) > 0 {
		return runs[0].First
	}
	return u.chunks.n
}

// Status is what is durable. Server, Distributed and the error of hosting it are the caller's to fill in.
func (u *Upload) Status() api.Status {
	u.mu.Lock()
	defer u.mu.Unlock()
	st := api.Status{
		Task: u.rec.Task, State: api.Receiving, Name: u.rec.Name, Size: u.rec.Size, Chunks: u.chunks.n,
		Next: u.chunks.n, Missing: []api.Run{}, Received: u.rec.Size,
	}
	if u.manifest != nil {
		st.Content = u.manifest.ID().String()
	}
	if u.complete() {
		st.State = api.Complete
		return st
	}
	if len(u.completing) > 0 {
		st.State = api.Verifying
	}
	st.Next, st.Missing, st.Received = u.nextChunk(), u.ledger.missing(0, u.chunks.n, api.MaxMissing), 0
	for k := range u.chunks.n {
		if u.ledger.has(k) {
			_, _, size := u.chunks.at(k)
			st.Received += int64(size)
		}
	}
	st.Expires = u.progress.Add(u.store.cfg.Limits.Idle).UTC()
	return st
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
	u.store.files.forgetAll(u)
	u.appending.close()
	_ = u.root.Close() // it was only read by
}

// same reports whether another description is of this upload.
func (u *Upload) same(r record) (bool, error) {
	key, err := r.key()
	return bytes.Equal(key[:], u.key[:]), err
}

// Chunks is how many there are.
func (u *Upload) Chunks() int { return u.chunks.n }
