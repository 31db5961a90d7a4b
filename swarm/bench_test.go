package swarm

import (
	"testing"
	"time"
)

// discard is a Store that forgets what it is given.
type discard struct{ *memory }

func (d discard) WritePiece(piece int, _ []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.held.Add(piece)
	return nil
}

// BenchmarkSolo moves a file from one node to another over loopback, without a
// disk: what the exchange itself costs.
func BenchmarkSolo(b *testing.B) {
	man, data := content(b, 512<<20)
	src := seeded(man, data)
	b.SetBytes(int64(len(data)))
	var moving time.Duration
	for b.Loop() {
		origin := newMember(b, "origin", Config{})
		origin.join(b, man, src, true)
		leecher := newMember(b, "leecher", Config{})
		start := time.Now()
		seed := origin.peer
		seed.Seed = true
		s := leecher.join(b, man, discard{newMemory(man)}, false, seed)
		waitComplete(b, s)
		moving += time.Since(start)
		leecher.Close()
		origin.Close()
	}
	b.ReportMetric(float64(len(data))*float64(b.N)/moving.Seconds()/1e6, "moved-MB/s")
}
