package uploads

import (
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/shoal-cdn/shoal/internal/durable"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// Delete deletes an upload with its data: [shoal.ErrNotFound] where there is none.
func (s *Store) Delete(task string) error {
	if err := tapi.CheckTaskID(task); err != nil {
		return err
	}
	s.opening.Lock()
	defer s.opening.Unlock()
	s.mu.Lock()
	u := s.open[task]
	s.mu.Unlock()
	if u != nil {
		s.drop(u)
	}
	away := gonePrefix + rand.Text()
	if err := s.root.Rename(task, away); err != nil {
		return gone(task, err)
	}
	if err := errors.Join(durable.Sync(s.root, "."), s.root.RemoveAll(away)); err != nil {
		return fmt.Errorf("delete upload %s: %w", task, err)
	}
	return nil
}

// gonePrefix is of folders that are being deleted.
const gonePrefix = ".gone-"
