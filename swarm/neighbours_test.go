package swarm

import (
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
)

// However many come, a node that lacks pieces keeps mostNeighbours that lack some too: for each
// newcomer beyond it lets another one go. One that has everything keeps them all.
func TestNeighboursAreBounded(t *testing.T) {
	t.Parallel()
	const come = mostNeighbours + 3
	man, data := content(t, 1<<20)
	for _, c := range []struct {
		name  string
		store Store
		want  int
	}{
		{"needs pieces", newMemory(man), mostNeighbours},
		{"has everything", seeded(man, data), come},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := newMember(t, c.name, Config{})
			s := m.join(t, man, c.store, false)
			var last shoal.NodeID
			for i := range come {
				p := newRaw(t, man, data)
				p.dial(t, m.peer)
				last = p.ID()
				within(t, time.Minute, "it is connected", func() bool {
					return look(t, s, func(s *Swarm) bool { return s.conns[last] != nil && len(s.conns) == min(i+1, c.want) })
				})
			}
		})
	}
}
