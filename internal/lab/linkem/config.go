package linkem

import (
	"fmt"
	"time"

	"github.com/shoal-cdn/shoal"
)

// Config describes one direction of a line.
type Config struct {
	// Rate is how fast the line takes packets. 0: without limit, so that no
	// queue forms.
	Rate shoal.Rate
	// Delay is the time from a packet's last bit leaving to its arrival.
	Delay time.Duration
	// Loss is the share of packets, 0 to 1, that vanish after they took their
	// time on the line. 1 cuts the line.
	Loss float64
	// QueueBytes bounds the packets that wait for the line; a packet that
	// does not fit is dropped. 0: DefaultQueueBytes.
	QueueBytes int
	// Seed selects which packets are lost.
	Seed uint64
}

// DefaultQueueBytes is a bandwidth-delay product of a round trip, of at least
// 100 ms and 64 KiB: what a provider's router is commonly given.
func (c Config) DefaultQueueBytes() int {
	rtt := max(2*c.Delay, 100*time.Millisecond)
	return max(int(rtt.Seconds()*float64(c.Rate)), 64<<10)
}

// Validate reports values outside the ranges above, with kind [shoal.ErrInvalid].
func (c Config) Validate() error {
	switch {
	case c.Rate < 0:
		return fmt.Errorf("link rate %d: %w: negative", int64(c.Rate), shoal.ErrInvalid)
	case c.Delay < 0:
		return fmt.Errorf("link delay %v: %w: negative", c.Delay, shoal.ErrInvalid)
	case !(c.Loss >= 0 && c.Loss <= 1):
		return fmt.Errorf("link loss %v: %w: want 0 to 1", c.Loss, shoal.ErrInvalid)
	case c.QueueBytes < 0:
		return fmt.Errorf("link queue of %d bytes: %w: negative", c.QueueBytes, shoal.ErrInvalid)
	}
	return nil
}

// Counters counts one direction's packets and their bytes since the start.
// What was offered and is in no other count is still under way.
type Counters struct {
	OfferedPackets, OfferedBytes     int64
	DeliveredPackets, DeliveredBytes int64
	DroppedPackets, DroppedBytes     int64 // found the queue full
	LostPackets, LostBytes           int64 // drawn by Config.Loss
}
