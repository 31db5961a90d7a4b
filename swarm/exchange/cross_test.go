package exchange

import "testing"

// M7: while something better brings pieces across carriers, peers there are not
// asked; what has begun to come still comes.
func TestAvoidCross(t *testing.T) {
	s := newScript(t, 3, piece)
	s.on(PeerJoined{Peer: "far", Carrier: "x"})
	set := emptySet(3)
	set.Add(0)
	s.on(BitfieldReceived{"far", set})
	s.on(BlockReceived{"far", 0, 0, block})
	s.want(HaveReceived{"far", 1}) // the path is full
	s.want(CrossAvoided{true})
	s.want(BlockReceived{"far", 0, block, 2 * block}, Verify{"far", 0})
	s.want(PieceStored{0})                       // far knows who has it
	s.on(PeerJoined{Peer: "near", Origin: true}) // no member, which might fetch pieces across
	s.on(HaveReceived{"near", 2})
	if got := of[SendRequest](s.in); len(got) != 1 || got[0].Peer != "near" {
		t.Errorf("%s", describe(s.in))
	}
	s.want(CrossAvoided{false}, SendRequest{"far", 1, piece})
	s.want(CrossAvoided{true}, SendCancel{"far", 1, piece})
}
