package uploads

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"

	"github.com/shoal-cdn/shoal"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// account is what there is of uploads.
type account struct {
	open   int
	total  int64 // bytes of all
	coming int64 // of those, bytes that are still to come
}

func (a *account) add(size, coming int64, open bool) {
	a.total += size
	a.coming += coming
	if open {
		a.open++
	}
}

// known is a complete upload's entry, which nothing but deleting it changes.
type known struct {
	self fs.FileInfo // of its description
	size int64
}

// refusal says why one more upload would be too much; nil where it is not. The
// account is that of all others, and free is not known where that is negative.
func (a account) refusal(l Limits, size, free int64) error {
	switch {
	case l.Open > 0 && a.open >= l.Open:
		return fmt.Errorf("%w: %d", ErrTooMany, a.open)
	case l.Total > 0 && size > l.Total-a.total:
		return fmt.Errorf("%w: %s for all uploads are not enough", ErrFull, shoal.Size(l.Total))
	case free >= 0 && free-a.coming-size < l.Free:
		return fmt.Errorf("%w: the disk has %s, of which %s are promised and %s have to stay free",
			ErrFull, shoal.Size(free).Short(), shoal.Size(a.coming).Short(), shoal.Size(l.Free))
	}
	return nil
}

// count makes the account of everything but what goes by the names in but. It looks at the
// disk, where other processes have their uploads, but opens none that is known to be complete.
func (s *Store) count(but map[string]bool) (account, error) {
	// In this order: a reservation goes when its upload is there.
	reserved, err := s.reserved()
	if err != nil {
		return account{}, err
	}
	all, err := names(s.root)
	if err != nil {
		return account{}, err
	}
	var a account
	there := make(map[string]bool)
	for _, task := range all {
		if tapi.CheckTaskID(task) != nil || but[task] {
			continue
		}
		size, coming, open, err := s.measure(task)
		switch {
		case errors.Is(err, shoal.ErrNotFound):
			continue
		case isIO(err):
			return account{}, err
		case err != nil:
			s.cfg.Log.Warn("unreadable upload", "err", err)
			continue
		}
		there[task] = true
		a.add(size, coming, open)
	}
	for name, r := range reserved {
		if !there[name] && !but[name] {
			a.add(r.Size, r.coming, true)
		}
	}
	return a, nil
}

// isIO reports whether it was the system that failed, which says nothing of what there is.
func isIO(err error) bool {
	_, failed := errors.AsType[syscall.Errno](err)
	return failed
}

// measure looks at one upload.
func (s *Store) measure(task string) (size, coming int64, open bool, err error) {
	s.mu.Lock()
	k, ok := s.known[task]
	s.mu.Unlock()
	if ok {
		now, err := s.root.Lstat(filepath.Join(task, descriptionFile))
		if err == nil && same(now, k.self) {
			return k.size, 0, false, nil
		}
		s.mu.Lock()
		delete(s.known, task)
		s.mu.Unlock()
	}
	u, err := s.Get(task)
	if err != nil {
		return 0, 0, false, err
	}
	if u.Complete() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.known[task] = known{u.self, u.rec.Size}
		return u.rec.Size, 0, false, nil
	}
	return u.rec.Size, u.rec.Size - u.Status().Received, true, nil
}
