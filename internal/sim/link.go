package sim

import (
	"time"

	"github.com/shoal-cdn/shoal"
)

// link is one direction of a line. It carries one message after the other.
type link struct {
	rate  int64         // bytes a second; 0: unlimited
	until time.Duration // when the rate becomes then; 0: never
	then  int64
	free  time.Duration // when it has sent all that it was given
}

func newLink(r shoal.Rate) link { return link{rate: int64(r)} }

// pass gives the link a message and returns when its last byte has left.
// Messages must be given in the order of now. One keeps the rate that it began with.
func (l *link) pass(now time.Duration, bytes int) time.Duration {
	begin, rate := max(l.free, now), l.rate
	if l.until > 0 && begin >= l.until {
		rate = l.then
	}
	if rate == 0 {
		return now
	}
	l.free = begin + time.Duration(int64(bytes)*int64(time.Second)/rate)
	return l.free
}

// idle reports whether a message would be sent at once.
func (l *link) idle(now time.Duration) bool { return l.free <= now }
