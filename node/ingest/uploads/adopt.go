package uploads

import (
	"context"
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

// Adopt makes a whole file, which is durable and is not written any more, a complete upload: it is
// hashed and moved. from is its path below the store's folder, and sum what its bytes have to add up to: [ErrMixed] where they
// don't. Repeating it does no harm, and
// goes on where an earlier attempt ended, in whatever process: [shoal.ErrNotFound] where
// the upload was adopted, and deleted since.
func (s *Store) Adopt(ctx context.Context, task, name string, d *api.Distribute, from string, sum Sum) (*Upload, error) {
	u, err := s.adopt(ctx, task, name, d, from, sum)
	if err != nil {
		return nil, fmt.Errorf("adopt upload %s: %w", task, room(err))
	}
	return u, nil
}

func (s *Store) adopt(ctx context.Context, task, name string, d *api.Distribute, from string, sum Sum) (*Upload, error) {
	m, is, err := s.describeFile(ctx, name, from)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return s.adoptMoved(ctx, task)
	case err != nil:
		return nil, err
	case is != sum:
		return nil, ErrMixed
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
	err = u.moveIn(from)
	if errors.Is(err, fs.ErrNotExist) { // another process was as quick
		return s.adoptMoved(ctx, task)
	}
	if err != nil {
		return nil, err
	}
	return u, u.conclude(m)
}

// moveIn makes a file below the store's folder the upload's only one.
func (u *Upload) moveIn(from string) error {
	to, _, _ := u.chunks.file(0)
	root, release, err := u.folder()
	if err != nil {
		return err
	}
	defer release()
	if err := root.MkdirAll(path.Dir(to), 0o755); err != nil {
		return err
	}
	u.touchFolders(to)
	if err := u.store.root.Rename(from, path.Join(u.rec.Task, to)); err != nil {
		return err
	}
	u.store.files.forgetIf(func(k fileKey) bool { return k.of == u }) // what was opened before is another file
	return nil
}

// adoptMoved is adopt for a file that has been moved: nothing but the data says that it is whole.
func (s *Store) adoptMoved(ctx context.Context, task string) (*Upload, error) {
	u, err := s.Get(task)
	if err != nil || u.Complete() {
		return u, err
	}
	if u.chunks.m == nil {
		return nil, fmt.Errorf("%w: there is another upload by its name", shoal.ErrConflict)
	}
	to, _, _ := u.chunks.file(0)
	m, _, err := s.describeFile(ctx, u.rec.Name, path.Join(task, to))
	if err != nil {
		return nil, err
	}
	if m.ID() != u.chunks.m.ID() {
		return nil, fmt.Errorf("%w: it is not what it was when it was moved", shoal.ErrCorrupt)
	}
	return u, u.conclude(u.chunks.m)
}

// describeFile hashes a file, for its manifest, and sums its bytes up.
func (s *Store) describeFile(ctx context.Context, name, from string) (m *shoal.Manifest, sum Sum, err error) {
	h, err := shoal.NewFileHasher(name)
	if err != nil {
		return nil, sum, err
	}
	f, err := s.root.Open(from)
	if err != nil {
		return nil, sum, err
	}
	defer f.Close()
	select {
	case s.hashing <- struct{}{}:
		defer func() { <-s.hashing }()
	case <-ctx.Done():
		return nil, sum, context.Cause(ctx)
	}
	buf := make([]byte, 1<<20)
	for {
		n, err := f.Read(buf)
		_, _ = sum.Write(buf[:n])
		_, failed := h.Write(buf[:n])
		switch {
		case failed != nil:
			return nil, sum, failed
		case errors.Is(err, io.EOF):
			m, err = h.Manifest()
			return m, sum, err
		case err != nil:
			return nil, sum, err
		case ctx.Err() != nil:
			return nil, sum, context.Cause(ctx)
		}
	}
}
