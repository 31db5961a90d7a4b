package uploads

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/ingest/api"
)

// completion is complete.json.
type completion struct {
	Version int             `json:"version"`
	Content shoal.ContentID `json:"content"`
	Mtimes  []int64         `json:"mtimes"` // ns, in the manifest's order: when the files were found right
}

// maxCompletion bounds complete.json, in bytes.
const maxCompletion = 64 << 20

// Finish verifies what this process has not hashed, makes everything durable and the upload
// complete. Finishing a complete one does no harm. [ErrIncomplete] where chunks are
// missing, or turned out not to be what they were, which makes them missing.
func (u *Upload) Finish(ctx context.Context) error {
	select {
	case u.completing <- struct{}{}:
		defer func() { <-u.completing }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if err := u.finish(ctx); err != nil {
		return fmt.Errorf("complete upload %s: %w", u.rec.Task, err)
	}
	return nil
}

func (u *Upload) finish(ctx context.Context) error {
	if err := u.Sync(ctx); err != nil {
		return err
	}
	if err := u.Refresh(); err != nil {
		return err
	}
	if u.Complete() {
		return nil
	}
	if missing, _ := u.Missing(0, u.chunks.n); len(missing) > 0 {
		return ErrIncomplete
	}
	m, wrong, err := u.verifyInTurn(ctx)
	if err != nil {
		return err
	}
	if len(wrong) > 0 {
		u.store.cfg.Log.Warn("chunks of an upload are not what they were", "upload", u.rec.Task, "chunks", len(wrong))
		return errors.Join(ErrIncomplete, u.lose(wrong))
	}
	times, err := u.settle(m)
	if err != nil {
		return room(err)
	}
	if u.rec.Content == nil {
		if err := replaceFile(u.root, torrentName(m.ID()), m.Torrent()); err != nil {
			return room(err)
		}
	}
	b, err := json.Marshal(completion{Version: recordVersion, Content: m.ID(), Mtimes: times})
	if err != nil {
		return err
	}
	if err := createFile(u.root, completeFile, b); errors.Is(err, fs.ErrExist) {
		return u.adoptCompletion()
	} else if err != nil {
		return room(err)
	}
	u.completed(m, times, shoal.FullPieceSet(m.NumPieces()))
	return nil
}

// completed makes the upload what it is from now on.
func (u *Upload) completed(m *shoal.Manifest, times []int64, proven *shoal.PieceSet) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.manifest, u.times, u.proven = m, times, proven
	u.held = shoal.FullPieceSet(u.chunks.n)
	u.pieces = u.held
	if u.chunks.m == nil {
		u.pieces = shoal.FullPieceSet(m.NumPieces())
	}
}

// adoptCompletion takes note that the upload is complete; [fs.ErrNotExist] where it is not.
func (u *Upload) adoptCompletion() error {
	b, err := readFile(u.root, completeFile, maxCompletion)
	if err != nil {
		return err
	}
	var c completion
	if err := json.Unmarshal(b, &c); err != nil || c.Version != recordVersion {
		return fmt.Errorf("%s of upload %s: %w: %v", completeFile, u.rec.Task, shoal.ErrCorrupt, err)
	}
	m := u.Manifest()
	if m == nil {
		if m, err = u.readTorrent(c.Content); err != nil {
			return err
		}
	}
	l := layoutOf(m)
	if m.ID() != c.Content || len(c.Mtimes) != l.files() || m.Size() != u.rec.Size {
		return fmt.Errorf("%s of upload %s: %w: it is of another content", completeFile, u.rec.Task, shoal.ErrCorrupt)
	}
	proven := shoal.NewPieceSet(m.NumPieces())
	for i, at := range c.Mtimes {
		name, length, _ := l.file(i)
		info, err := u.root.Lstat(name)
		if err != nil || info.Size() != length || info.ModTime().UnixNano() != at {
			continue // its pieces are hashed before they are served
		}
		first, n := l.chunksOf(i)
		for k := range n {
			proven.Add(first + k)
		}
	}
	u.store.files.forgetAll(u) // as others have written
	u.completed(m, c.Mtimes, proven)
	return nil
}

// verifyInTurn is verify, of which a bounded number read data at a time.
func (u *Upload) verifyInTurn(ctx context.Context) (m *shoal.Manifest, wrong []int, err error) {
	u.mu.Lock()
	proven := u.chunks.m != nil && u.proven.Full()
	u.mu.Unlock()
	if !proven {
		select {
		case u.store.hashing <- struct{}{}:
			defer func() { <-u.store.hashing }()
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		}
	}
	return u.verify(ctx)
}

// verify makes the manifest, or hashes what this process has not, and tells which
// chunks are wrong.
func (u *Upload) verify(ctx context.Context) (m *shoal.Manifest, wrong []int, err error) {
	if u.chunks.m == nil {
		return u.describe(ctx)
	}
	u.mu.Lock()
	proven := u.proven.Clone()
	u.mu.Unlock()
	var mu sync.Mutex
	g, hashing := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for k := range u.chunks.n {
		if proven.Has(k) {
			continue
		}
		if hashing.Err() != nil {
			break
		}
		g.Go(func() error {
			data, err := u.ReadPiece(k)
			if err != nil && !errors.Is(err, io.EOF) {
				return err
			}
			ok := err == nil && u.chunks.m.VerifyPiece(k, data)
			mu.Lock()
			defer mu.Unlock()
			if !ok {
				wrong = append(wrong, k)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, nil, err
	}
	slices.Sort(wrong)
	return u.chunks.m, wrong, context.Cause(ctx)
}

// describe hashes a single file, for its manifest and against the digests of its chunks.
func (u *Upload) describe(ctx context.Context) (m *shoal.Manifest, wrong []int, err error) {
	h, err := shoal.NewFileHasher(u.rec.Name)
	if err != nil {
		return nil, nil, err
	}
	digests := u.rec.Digests
	if len(digests) == 0 {
		u.mu.Lock()
		digests = slices.Clone(u.ledger.digests)
		u.mu.Unlock()
	}
	for k := range u.chunks.n {
		if ctx.Err() != nil {
			return nil, nil, context.Cause(ctx)
		}
		data, err := u.ReadPiece(k)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, nil, err
		}
		if err != nil || api.DigestOf(data) != digests[k] {
			wrong = append(wrong, k)
			continue
		}
		if _, err := h.Write(data); err != nil {
			return nil, nil, err
		}
	}
	if len(wrong) > 0 {
		return nil, wrong, nil
	}
	m, err = h.Manifest()
	return m, nil, err
}

// settle makes each file what it shall be, those without any bytes too, durably, and
// returns when they were last changed.
func (u *Upload) settle(m *shoal.Manifest) (times []int64, err error) {
	l := layoutOf(m)
	times = make([]int64, l.files())
	for i := range times {
		if times[i], err = u.settleFile(l, i); err != nil {
			return nil, err
		}
	}
	u.mu.Lock()
	folders := u.folders
	u.folders = make(map[string]struct{})
	u.mu.Unlock()
	for dir := range folders {
		if err := syncDir(u.root, dir); err != nil {
			return nil, err
		}
	}
	return times, nil
}

func (u *Upload) settleFile(l layout, i int) (mtime int64, err error) {
	f, err := u.store.files.acquire(fileKey{u, i})
	if err != nil {
		return 0, err
	}
	defer f.release()
	_, length, executable := l.file(i)
	mode := os.FileMode(0o644)
	if executable {
		mode = 0o755
	}
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	if info.Size() > length { // nobody here has written behind the end
		if err := f.Truncate(length); err != nil {
			return 0, err
		}
	}
	if info.Mode().Perm() != mode {
		if err := f.Chmod(mode); err != nil {
			return 0, err
		}
	}
	if err := f.Sync(); err != nil {
		return 0, err
	}
	if info, err = f.Stat(); err != nil {
		return 0, err
	}
	if info.Size() != length {
		return 0, fmt.Errorf("%w: %s has %d bytes, want %d", shoal.ErrCorrupt, f.Name(), info.Size(), length)
	}
	return info.ModTime().UnixNano(), nil
}
