package uploads

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/internal/durable"
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
	return room(u.conclude(m))
}

// conclude records that the data is what m describes. Of several that try one writes the
// record, and all go by it.
func (u *Upload) conclude(m *shoal.Manifest) error {
	times, err := u.settle(m)
	if err != nil {
		return err
	}
	root, release, err := u.folder()
	if err != nil {
		return err
	}
	defer release()
	if u.rec.Content == nil {
		if err := replaceFile(root, torrentName(m.ID()), m.Torrent()); err != nil {
			return err
		}
	}
	b, err := json.Marshal(completion{Version: recordVersion, Content: m.ID(), Mtimes: times})
	if err != nil {
		return err
	}
	if err := createFile(root, completeFile, b); errors.Is(err, fs.ErrExist) {
		// Whoever wrote it has perhaps not come to this.
		return errors.Join(durable.Sync(root, "."), u.adoptCompletion(root))
	} else if err != nil {
		return err
	}
	u.completed(m, times, shoal.FullPieceSet(m.NumPieces()))
	return nil
}

// completed makes the upload what it is from now on. Nothing of it stays open: what is read is opened again.
func (u *Upload) completed(m *shoal.Manifest, times []int64, proven *shoal.PieceSet) {
	defer u.closeAll()
	u.mu.Lock()
	defer u.mu.Unlock()
	u.manifest, u.times, u.proven = m, times, proven
	u.held = shoal.FullPieceSet(u.chunks.n)
	u.pieces = u.held
	if u.chunks.m == nil {
		u.pieces = shoal.FullPieceSet(m.NumPieces())
	}
	u.slim()
}

// slim lets go of what only matters while chunks are missing, once nothing is on its way to the disk
// any more. It needs mu.
func (u *Upload) slim() {
	if !u.complete() || u.running != nil || u.next != nil {
		return
	}
	u.digests, u.ledger, u.fresh, u.read = nil, nil, nil, nil
	u.appending.close()
}

// adoptCompletion takes note that the upload is complete; [fs.ErrNotExist] where it is not.
func (u *Upload) adoptCompletion(root *os.Root) error {
	b, err := readFile(root, completeFile, maxCompletion)
	if err != nil {
		return err
	}
	var c completion
	if err := json.Unmarshal(b, &c); err != nil || c.Version != recordVersion {
		return fmt.Errorf("%s of upload %s: %w: %v", completeFile, u.rec.Task, shoal.ErrCorrupt, err)
	}
	m := u.Manifest()
	if m == nil {
		if m, err = u.readTorrent(root, c.Content); err != nil {
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
		info, err := root.Lstat(name)
		if err != nil || info.Size() != length || info.ModTime().UnixNano() != at {
			continue // its pieces are hashed before they are served
		}
		first, n := l.chunksOf(i)
		for k := range n {
			proven.Add(first + k)
		}
	}
	u.completed(m, c.Mtimes, proven)
	return nil
}
