package library

import (
	"github.com/shoal-cdn/shoal"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// covering is b with what it lacks to cover so many bytes, which were received all the
// same: pieces are durable before the counters are, and a crash may come between. Where
// those bytes came from nobody knows any more. The sources are given shares as they had
// before; where nothing was counted, it all counts as from peers.
func covering(b tapi.Bytes, received int64) tapi.Bytes {
	counted := b.Origin + b.Peers + b.Upstream
	lost := received - counted
	if lost <= 0 {
		return b
	}
	share := func(n int64) int64 {
		if counted == 0 {
			return 0
		}
		return int64(float64(lost) * float64(n) / float64(counted))
	}
	more := tapi.Bytes{Origin: share(b.Origin), Upstream: share(b.Upstream), CrossCarrier: share(b.CrossCarrier)}
	more.Peers = lost - more.Origin - more.Upstream
	return add(b, more)
}

// bytesOf is how much data the pieces of a set have.
func bytesOf(m *shoal.Manifest, held *shoal.PieceSet) (n int64) {
	if held.Full() {
		return m.Size()
	}
	for piece := range held.All() {
		n += int64(m.PieceSize(piece))
	}
	return n
}
