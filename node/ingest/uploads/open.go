package uploads

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/ingest/api"
)

// openUpload reads an upload that is in the store's folder.
func (s *Store) openUpload(task string) (*Upload, error) {
	root, err := s.root.OpenRoot(task)
	if err != nil {
		return nil, gone(task, err)
	}
	defer root.Close()
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
		store: s, rec: rec, at: filepath.Join(s.abs, task), self: self,
		completing: make(chan struct{}, 1),
		fresh:      make(map[int]api.Digest), folders: make(map[string]struct{}), read: make(map[string]int64),
	}
	if u.key, err = rec.key(); err != nil {
		return nil, err
	}
	u.digests, u.rec.Digests, u.digested = rec.Digests, nil, len(rec.Digests) > 0
	u.chunks = layout{name: rec.Name, size: rec.Size, chunk: rec.ChunkSize, n: rec.Chunks}
	if rec.Content != nil {
		if u.manifest, err = u.readTorrent(root, *rec.Content); err != nil {
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

func (u *Upload) readTorrent(root *os.Root, id shoal.ContentID) (*shoal.Manifest, error) {
	b, err := readFile(root, torrentName(id), shoal.MaxTorrentSize)
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
