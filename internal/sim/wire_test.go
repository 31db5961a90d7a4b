package sim

import (
	"testing"

	"github.com/shoal-cdn/shoal/swarm/wire"
)

// The lengths of messages are those that package wire gives them.
func TestMessageLengths(t *testing.T) {
	const pieces = 1001
	for _, m := range []struct {
		name string
		len  int
		want int
	}{
		{"have", haveBytes, len(wire.AppendHave(nil, 1))},
		{"request", requestBytes, len(wire.AppendRange(nil, wire.Request, 1, 0, 1))},
		{"cancel", requestBytes, len(wire.AppendRange(nil, wire.Cancel, 1, 0, 1))},
		{"reject", requestBytes, len(wire.AppendRange(nil, wire.Reject, 1, 0, 1))},
		{"queued", queuedBytes, len(wire.AppendExtended(nil, 1, nil))},
		{"bitfield", bitfieldBytes + (pieces+7)/8, len(wire.AppendBitfield(nil, make([]byte, (pieces+7)/8)))},
		{"block", blockBytes, len(wire.AppendBlockHeader(nil, 1, 0, 1))},
	} {
		if m.len != m.want {
			t.Errorf("%s: %d bytes, want %d", m.name, m.len, m.want)
		}
	}
}

func TestBytesOnLine(t *testing.T) {
	for _, c := range []struct {
		name      string
		got, want int
	}{
		{"a full segment of data", dataOnLine(segment), frame},
		{"a short write in one frame", onLine(9), 9 + 34 + 66},
		{"a block of 16 KiB and 13 bytes in two records", onLine(16<<10 + 13), 16<<10 + 13 + 2*34 + 12*66},
		{"acknowledgements of 10 frames", acksOnLine(10 * frame), 5 * 66},
	} {
		if c.got != c.want {
			t.Errorf("%s: %d bytes, want %d", c.name, c.got, c.want)
		}
	}
}
