package exchange

import (
	"fmt"
	"testing"

	"github.com/shoal-cdn/shoal"
)

// A node that has fewer pieces than the others nearby asks each of them for one piece
// more, until it has caught up. Those that have everything, and those in other carriers,
// are not what it compares itself with.
func TestWhoIsBehindAsksForMore(t *testing.T) {
	const pieces = 64
	first := func(n int) *shoal.PieceSet {
		set := shoal.NewPieceSet(pieces)
		for i := range n {
			set.Add(pieces - 1 - i)
		}
		return set
	}
	for _, c := range []struct {
		name   string
		others []int // pieces of each neighbour
		joined PeerJoined
		want   int // requests to each
	}{
		{"level", []int{lag, lag}, PeerJoined{}, 1},
		{"behind", []int{lag + 1, lag + 1}, PeerJoined{}, 2},
		{"behind one, level with the mean", []int{2*lag - 2, 2}, PeerJoined{}, 1},
		{"beside seeds", []int{pieces, pieces}, PeerJoined{}, 1},
		{"beside an origin", []int{lag + 8}, PeerJoined{Origin: true}, 1},
		{"behind another carrier", []int{lag + 8}, PeerJoined{Carrier: "other"}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScript(t, pieces, piece)
			for i, n := range c.others {
				e := c.joined
				e.Peer = shoal.NodeID(fmt.Sprint("p", i))
				s.on(e)
				s.on(BitfieldReceived{e.Peer, first(n)})
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
