package swarm

import (
	"runtime"
	"testing"
	"time"
)

// The rules of a node that lacks pieces know how far the network says its peers are.
func TestRoundTripsAreMeasured(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("the kernel's round trips are read on Linux only")
	}
	man, data := content(t, 1<<20)
	m := newMember(t, "m", Config{})
	s := m.join(t, man, newMemory(man), false)
	newRaw(t, man, data).dial(t, m.peer)
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		got := look(t, s, func(s *Swarm) time.Duration {
			for id := range s.conns {
				return s.state.RoundTrip(id)
			}
			return 0
		})
		if got > 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("nothing is known of the connection's round trip")
		}
	}
}
