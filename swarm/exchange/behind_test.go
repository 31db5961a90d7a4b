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
		length int // of a piece
		want   int // requests to each
	}{
		{"level", []int{lag, lag}, PeerJoined{}, piece, 1},
		{"behind", []int{lag + 1, lag + 1}, PeerJoined{}, piece, 2},
		{"behind one, level with the mean", []int{2*lag - 2, 2}, PeerJoined{}, piece, 1},
		{"beside seeds", []int{pieces, pieces}, PeerJoined{}, piece, 1},
		{"beside an origin", []int{lag + 8}, PeerJoined{Origin: true}, piece, 1},
		{"behind, with pieces that fill the memory", []int{lag + 1, lag + 1, lag + 1, lag + 1, lag + 1}, PeerJoined{}, 4 << 20, 1},
		{"behind another carrier", []int{lag + 8}, PeerJoined{Carrier: "other"}, piece, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScript(t, pieces, c.length)
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
