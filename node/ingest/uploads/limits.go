package uploads

import (
	"fmt"
	"sync"
	"time"

	"github.com/shoal-cdn/shoal"
)

// Limits bound what uploads may take; what is 0 is not bounded. All servers that share a store
// have the same.
type Limits struct {
	Size  int64         // of one upload, in bytes
	Total int64         // of all uploads in the store, complete ones too, in bytes
	Open  int           // uploads that are not complete
	Free  int64         // of the disk, that stay free, in bytes
	Idle  time.Duration // after which an upload without progress is deleted; 0 is 7 days
}

const (
	defaultIdle = 7 * 24 * time.Hour
	spaceAge    = time.Second // for which an answer about free space is good
)

// space is what is left of the disk, asked now and then.
type space struct {
	ask func() (free int64, known bool)

	mu    sync.Mutex
	at    time.Time
	free  int64 // at that time, without what was written since
	known bool
}

// take takes n bytes out of what is free but for a floor; not ok where they are not there.
func (s *space) take(n, floor int64, now time.Time) bool {
	if s.ask == nil {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Sub(s.at) > spaceAge {
		s.free, s.known = s.ask()
		s.at = now
	}
	if !s.known {
		return true
	}
	if s.free-n < floor {
		return false
	}
	s.free -= n
	return true
}

// Idle is after which an upload without progress is deleted.
func (s *Store) Idle() time.Duration { return s.cfg.Limits.Idle }

// room says whether n bytes may be written now: [ErrFull].
func (s *Store) room(n int64) error {
	if !s.space.take(n, s.cfg.Limits.Free, time.Now()) {
		return fmt.Errorf("%w: %s of the disk have to stay free", ErrFull, shoal.Size(s.cfg.Limits.Free))
	}
	return nil
}

// admit says whether an upload of so many bytes may begin.
func (s *Store) admit(size int64) error {
	l := s.cfg.Limits
	if l.Size > 0 && size > l.Size {
		return fmt.Errorf("%w: %d bytes, want at most %s", ErrTooLarge, size, shoal.Size(l.Size))
	}
	all, err := s.List()
	if err != nil {
		return err
	}
	var total, coming int64
	open := 0
	for _, u := range all {
		total += u.rec.Size
		if !u.Complete() {
			open++
			coming += u.rec.Size - u.Status().Received
		}
	}
	switch {
	case l.Open > 0 && open >= l.Open:
		return fmt.Errorf("%w: %d", ErrTooMany, open)
	case l.Total > 0 && size > l.Total-total:
		return fmt.Errorf("%w: %s for all uploads are not enough", ErrFull, shoal.Size(l.Total))
	}
	if s.space.ask == nil {
		return nil
	}
	if free, known := s.space.ask(); known && free-coming-size < l.Free {
		return fmt.Errorf("%w: the disk has %s, of which %s are promised and %s have to stay free",
			ErrFull, shoal.Size(free).Short(), shoal.Size(coming).Short(), shoal.Size(l.Free))
	}
	return nil
}
