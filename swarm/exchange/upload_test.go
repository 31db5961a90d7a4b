package exchange

import (
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
)

// A block keeps no uplink busy for long, and is no shorter than that needs.
func TestBlocksFitTheUplink(t *testing.T) {
	for _, tt := range []struct {
		mbit float64
		want int
	}{
		{1, minBlock}, {4, minBlock}, {16, minBlock}, {20, 2 * minBlock}, {50, 4 * minBlock}, {100, maxBlock}, {1000, maxBlock},
	} {
		k := sink{block: minBlock}
		took := func() time.Duration {
			return time.Duration(float64(k.block) / (tt.mbit / 8 * 1e6) * float64(time.Second))
		}
		for range 10 {
			k.serving.block = k.block
			k.adapt(took())
		}
		if k.block != tt.want {
			t.Errorf("%v Mbit/s: blocks of %d bytes, want %d", tt.mbit, k.block, tt.want)
		}
		k.block = maxBlock // the uplink was faster
		for range 10 {
			k.serving.block = k.block
			k.adapt(took())
		}
		if k.block > tt.want || took() > slowBlock && k.block > minBlock {
			t.Errorf("%v Mbit/s: blocks of %d bytes, want at most %d", tt.mbit, k.block, tt.want)
		}
	}
}

// Where several blocks are sent side by side each has its part of the time.
func TestBlocksShareTheUplink(t *testing.T) {
	s := newScript(t, 4, 17*block, 0, 1, 2, 3)
	for _, id := range []shoal.NodeID{"a", "b", "c", "d"} {
		s.join(nil, id)
		s.on(RequestReceived{id, 0, 0, 17 * block})
	}
	s.now = s.now.Add(4 * slowBlock / 3) // of which a third of slowBlock is a's
	s.want(BlockSent{"a"}, SendBlock{"a", 0, block, 2 * block})
}

// Alone in its carrier a swarm saves messages; across carriers it saves time.
func TestHavesWaitLongerInOneCarrier(t *testing.T) {
	s := newScript(t, 4, block)
	s.join(nil, "a")
	if d := s.s.HaveWait(); d != haveWait {
		t.Errorf("%v, want %v", d, haveWait)
	}
	s.on(PeerJoined{Peer: "b", Carrier: "elsewhere"})
	if d := s.s.HaveWait(); d != haveWaitMixed {
		t.Errorf("%v with a peer in another carrier, want %v", d, haveWaitMixed)
	}
	s.on(PeerLeft{"b"})
	if d := s.s.HaveWait(); d != haveWait {
		t.Errorf("%v when it has left, want %v", d, haveWait)
	}
}
