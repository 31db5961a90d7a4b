package uploads

import (
	"fmt"
	"sync"
	"time"

	"github.com/shoal-cdn/shoal"
)

// Limits bound what uploads may take, by whatever protocol they come; what is 0 is not bounded. All servers that
// share a store have the same.
type Limits struct {
	Size  int64         // of one upload, in bytes
	Total int64         // of all uploads in the store, complete ones too, in bytes
	Open  int           // uploads that are not complete; of other protocols, also parts of one
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

// Room says whether n bytes may be written now: [ErrFull]. For none there is always room.
func (s *Store) Room(n int64) error {
	if n > 0 && !s.space.take(n, s.cfg.Limits.Free, time.Now()) {
		return fmt.Errorf("%w: %s of the disk have to stay free", ErrFull, shoal.Size(s.cfg.Limits.Free))
	}
	return nil
}
