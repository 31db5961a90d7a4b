package uploads

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/ingest/api"
)

// Root is the store's folder, for what other protocols keep in it until it is whole: below
// a folder whose name begins with a dot, which is no upload. It is closed with the store.
func (s *Store) Root() *os.Root { return s.root }

// Admit says whether an upload of so many bytes may begin, by the limits.
func (s *Store) Admit(size int64) error {
	if size > int64(api.MaxChunks)*api.MaxChunkBytes {
		return fmt.Errorf("%w: %d bytes", ErrTooLarge, size)
	}
	return s.admit(size)
}

// Room says whether n bytes may be written now: [ErrFull].
func (s *Store) Room(n int64) error { return s.room(n) }

// Adopt makes a whole file, which is durable and is not written any more, a complete upload: it is
// hashed once and moved. from is its path below the store's folder. Repeating it
// after a crash does no harm.
func (s *Store) Adopt(ctx context.Context, task, name string, d *api.Distribute, from string) (*Upload, error) {
	u, err := s.adopt(ctx, task, name, d, from)
	if err != nil {
		return nil, fmt.Errorf("adopt upload %s: %w", task, room(err))
	}
	return u, nil
}

func (s *Store) adopt(ctx context.Context, task, name string, d *api.Distribute, from string) (*Upload, error) {
	m, err := s.describeFile(ctx, name, from)
	if errors.Is(err, fs.ErrNotExist) { // it has been moved already
		u, err := s.Get(task)
		if err == nil {
			err = u.Finish(ctx)
		}
		return u, err
	}
	if err != nil {
		return nil, err
	}
	rec, m, err := plan(&api.Description{Task: task, Torrent: m.Torrent(), Distribute: d})
	if err != nil {
		return nil, err
	}
	if _, err := s.begin(rec, m); err != nil {
		return nil, err
	}
	u, err := s.find(rec)
	if err != nil {
		return nil, err
	}
	to, _, _ := u.chunks.file(0)
	if err := u.root.MkdirAll(path.Dir(to), 0o755); err != nil {
		return nil, err
	}
	u.touchFolders(to)
	u.store.files.forgetAll(u)
	if err := s.root.Rename(from, path.Join(task, to)); err != nil {
		return nil, err
	}
	times, err := u.settle(m)
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(completion{Version: recordVersion, Content: m.ID(), Mtimes: times})
	if err != nil {
		return nil, err
	}
	if err := createFile(u.root, completeFile, b); errors.Is(err, fs.ErrExist) {
		return u, u.adoptCompletion()
	} else if err != nil {
		return nil, err
	}
	u.completed(m, times, shoal.FullPieceSet(m.NumPieces()))
	return u, nil
}

// describeFile hashes a file.
func (s *Store) describeFile(ctx context.Context, name, from string) (*shoal.Manifest, error) {
	h, err := shoal.NewFileHasher(name)
	if err != nil {
		return nil, err
	}
	f, err := s.root.Open(from)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	select {
	case s.hashing <- struct{}{}:
		defer func() { <-s.hashing }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	buf := make([]byte, 1<<20)
	for {
		n, err := f.Read(buf)
		if _, err := h.Write(buf[:n]); err != nil {
			return nil, err
		}
		switch {
		case errors.Is(err, io.EOF):
			return h.Manifest()
		case err != nil:
			return nil, err
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		}
	}
}
