package swarm

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestPoolKeepsWholeBuffers(t *testing.T) {
	const k = leastBuffer
	p := newPool(2 * k)
	for n, want := range map[int]int{2 * k: 2 * k, k + 1: 2 * k, k: k, k/2 + 1: k, k / 2: k / 2, 1: 1} {
		b := p.get(n)
		if len(b) != n || cap(b) != want {
			t.Errorf("get(%d): length %d, capacity %d, want %d", n, len(b), cap(b), want)
		}
		p.put(b)
	}
	if len(p.free) != 1 || len(p.half.free) != 1 {
		t.Errorf("%d and %d free, want those that were recycled", len(p.free), len(p.half.free))
	}
}

// What is not needed goes back to the system, what is needed now and then stays.
func TestPoolTrims(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(1 << 16)
		use := func(n int) {
			var lent [][]byte
			for range n {
				b := p.get(p.size)
				b[0], b[len(b)-1] = 1, 1
				lent = append(lent, b)
			}
			for _, b := range lent {
				p.put(b)
			}
		}
		wait := func(want int) {
			t.Helper()
			time.Sleep(trimEvery)
			synctest.Wait()
			p.mu.Lock()
			defer p.mu.Unlock()
			if len(p.free) != want {
				t.Errorf("%d free, want %d", len(p.free), want)
			}
		}
		use(5)
		wait(5) // all five were needed
		use(2)
		wait(2)
		wait(0)
		time.Sleep(10 * trimEvery) // nothing is there to be trimmed
		use(3)
		wait(3)
		b := p.get(p.size)
		wait(0)
		b[0] = 2 // it is lent, and stays
		p.put(b)
		wait(1)
		wait(0)
	})
}

// A buffer that is lost is never given back to the system.
func TestSwarmPutsBuffersBack(t *testing.T) {
	m, data := content(t, 1<<20)
	hub := NewHub(newTestHost(t), Config{Log: testLog(t)})
	defer hub.Close()
	s, err := hub.Join(m, newMemory(m), false)
	if err != nil {
		t.Fatal(err)
	}
	take := func(piece int) []byte {
		b := s.pool.get(m.PieceSize(piece))
		_, off := m.Locate(piece)
		copy(b, data[off:])
		return b
	}
	stored, left := take(0), take(1)
	s.verify("", 0, stored)
	if err := s.WaitPieces(t.Context(), 0, 1); err != nil {
		t.Fatal(err)
	}
	for range cap(hub.verify) { // nobody gets a turn any more
		hub.verify <- struct{}{}
	}
	s.verify("", 1, left)
	s.Leave()
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	if len(s.pool.free) != 2 {
		t.Errorf("%d of 2 buffers are back", len(s.pool.free))
	}
}
