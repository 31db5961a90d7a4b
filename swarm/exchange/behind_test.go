package exchange

import (
	"fmt"
	"testing"

	"github.com/shoal-cdn/shoal"
)

// A node that falls behind the others nearby asks each of them for one piece more, until
// it has caught up. Those that have everything, and those in other carriers, are not what it compares
// itself with, nor is the lead that the others had when it came.
func TestWhoIsBehindAsksForMore(t *testing.T) {
	const pieces = 64
	for _, c := range []struct {
		name   string
		held   int   // pieces here
		met    int   // pieces of each neighbour when it came
		others []int // and now
		joined PeerJoined
		length int // of a piece
		want   int // requests to each
	}{
		{"level", 0, 0, []int{lag, lag}, PeerJoined{}, piece, 1},
		{"behind", 0, 0, []int{lag + 1, lag + 1}, PeerJoined{}, piece, 2},
		{"behind one, level with the mean", 0, 0, []int{2*lag - 2, 2}, PeerJoined{}, piece, 1},
		{"came at the same time", 0, together, []int{together, together}, PeerJoined{}, piece, 2},
		{"came later", 0, 20, []int{20 + lag, 20 + lag}, PeerJoined{}, piece, 1},
		{"came later, and fell behind", 0, 20, []int{20 + lag + 1, 20 + lag + 1}, PeerJoined{}, piece, 2},
		{"came first, and others gain on it", 10, 2, []int{10 + lag, 10 + lag}, PeerJoined{}, piece, 1},
		{"came first, and fell behind", 10, 2, []int{10 + lag + 1, 10 + lag + 1}, PeerJoined{}, piece, 2},
		{"beside seeds", 0, pieces, []int{pieces, pieces}, PeerJoined{}, piece, 1},
		{"beside an origin", 0, 0, []int{lag + 8}, PeerJoined{Origin: true}, piece, 1},
		{"behind, with pieces that fill the memory", 0, 0, []int{lag + 1, lag + 1, lag + 1, lag + 1, lag + 1}, PeerJoined{}, 4 << 20, 1},
		{"behind another carrier", 0, 0, []int{lag + 8}, PeerJoined{Carrier: "other"}, piece, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			held := make([]int, c.held) // the others have their pieces from the far end
			for i := range held {
				held[i] = i
			}
			s := newScript(t, pieces, c.length, held...)
			for i, n := range c.others {
				e := c.joined
				e.Peer = shoal.NodeID(fmt.Sprint("p", i))
				s.on(e)
				set := shoal.NewPieceSet(pieces)
				for k := range c.met {
					set.Add(pieces - 1 - k)
				}
				s.on(BitfieldReceived{e.Peer, set})
				for k := c.met; k < n; k++ {
					s.on(HaveReceived{e.Peer, pieces - 1 - k})
				}
			}
			s.on(Tick{})
			for _, p := range s.s.peers {
				if got := len(p.source.requests); got != c.want {
					t.Errorf("%s is asked for %d pieces, want %d", p.id, got, c.want)
				}
			}
		})
	}
}
