package exchange

import "time"

// How long a HAVE may wait for company. Alone, a message of 9 bytes costs ten times
// that on the wire, and as much CPU time as a block. Where some peers are in other carriers
// those in ours often lack the same piece and have no other to ask for.
const (
	haveWait      = 160 * time.Millisecond
	haveWaitMixed = 80 * time.Millisecond
)

// HaveWait is how long a [SendHave] that is not Shown may wait, now, for something else that
// is sent to the peer.
func (s *State) HaveWait() time.Duration {
	if len(s.foreign) > 0 {
		return haveWaitMixed
	}
	return haveWait
}
