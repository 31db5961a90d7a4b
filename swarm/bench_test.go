package swarm

import (
	"testing"
)

// BenchmarkSolo moves a file from one node to another over loopback, memory to
// memory: what the exchange itself costs.
func BenchmarkSolo(b *testing.B) {
	man, data := content(b, 256<<20)
	src := seeded(man, data)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		origin := newMember(b, "origin", Config{})
		origin.join(b, man, src, true)
		leecher := newMember(b, "leecher", Config{})
		s := leecher.join(b, man, newMemory(man), false, origin.peer)
		waitComplete(b, s)
		leecher.Close()
		origin.Close()
	}
}
