package uploads

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/internal/durable"
	"github.com/shoal-cdn/shoal/node/ingest/api"
)

// Create begins an upload, or finds the one that is there by the same description; created tells
// which. [shoal.ErrInvalid] where there can be no such upload, [shoal.ErrConflict]
// where the task has another description, and the errors of the limits.
func (s *Store) Create(d *api.Description) (u *Upload, created bool, err error) {
	rec, m, err := plan(d)
	if err != nil {
		return nil, false, err
	}
	if u, err = s.find(rec); !errors.Is(err, shoal.ErrNotFound) {
		return u, false, err
	}
	if err = s.reserve(rec.Task, reservation{Size: rec.Size}, nil); err == nil {
		created, err = s.begin(rec, m)
		err = errors.Join(err, s.Unreserve(rec.Task)) // the description counts from now on
	}
	if err != nil {
		return nil, false, fmt.Errorf("upload %s: %w", rec.Task, room(err))
	}
	if u, err = s.find(rec); err != nil {
		return nil, false, err
	}
	return u, created, nil
}

// find returns the upload with that record.
func (s *Store) find(rec record) (*Upload, error) {
	u, err := s.Get(rec.Task)
	if err != nil {
		return nil, err
	}
	same, err := u.same(rec)
	if err == nil && !same {
		err = fmt.Errorf("upload %s: %w: the task has another description; has the file changed?", rec.Task, shoal.ErrConflict)
	}
	if err != nil {
		return nil, err
	}
	return u, nil
}

// begin makes an upload's folder. Of several that try one makes the description, which
// comes last.
func (s *Store) begin(rec record, m *shoal.Manifest) (created bool, err error) {
	rec.Created = time.Now().UTC()
	b, err := json.Marshal(rec)
	if err != nil {
		return false, err
	}
	if err := s.root.Mkdir(rec.Task, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return false, err
	}
	root, err := s.root.OpenRoot(rec.Task)
	if err != nil {
		return false, err
	}
	defer root.Close()
	if m != nil {
		if err := replaceFile(root, torrentName(m.ID()), m.Torrent()); err != nil {
			return false, err
		}
	}
	err = createFile(root, descriptionFile, b)
	if errors.Is(err, fs.ErrExist) { // whoever wrote it has perhaps not come to this
		return false, errors.Join(durable.Sync(root, "."), durable.Sync(s.root, "."))
	}
	return err == nil, errors.Join(err, durable.Sync(s.root, "."))
}
