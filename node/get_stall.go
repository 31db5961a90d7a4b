package node

import (
	"fmt"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/api"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// stall is how long nothing has come of a content. It is pure.
type stall struct {
	since  time.Time
	known  bool // what the content is
	pieces int
	bytes  tapi.Bytes
}

// look takes in how the content stands; busy is as [library.Library.Busy].
func (s *stall) look(c api.Content, busy bool, now time.Time) {
	next := stall{now, c.Pieces > 0, c.PiecesHeld, c.Bytes}
	next.bytes.Wasted = 0
	if next.since = s.since; busy || next != *s {
		next.since = now
		*s = next
	}
}

// err says what has not come; tracker is why none answers, if so.
func (s *stall) err(timeout time.Duration, tracker error) error {
	what := "nobody who has it was found"
	if s.known {
		what = "nothing of it came"
	}
	if tracker != nil {
		return fmt.Errorf("%w: %s in %v, and no tracker answers: %w", shoal.ErrUnavailable, what, timeout, tracker)
	}
	return fmt.Errorf("%w: %s in %v", shoal.ErrUnavailable, what, timeout)
}
