package swarm

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
)

// What a reader wants comes first and in order, also from an origin that shows
// its pieces one by one, and the reader learns when it can read (M8).
func TestReaderGetsItsPiecesFirst(t *testing.T) {
	t.Parallel()
	man, data := content(t, 4<<20)
	origin := newMember(t, "origin", Config{Up: 4 << 20})
	origin.join(t, man, seeded(man, data), true)
	st := newRecorder(man)
	s := newMember(t, "reader", Config{}).join(t, man, st, false)
	const first, count = 40, 6
	release := s.Want(first, count)
	s.AddPeers([]Peer{origin.peer})
	if err := s.WaitPieces(t.Context(), first, count); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, man.PieceLength())
	for piece := first; piece < first+count; piece++ {
		if err := st.ReadAt(buf, piece, 0); err != nil {
			t.Errorf("piece %d: %v", piece, err)
		}
	}
	order := st.written()
	var wanted []int
	for _, piece := range order {
		if first <= piece && piece < first+count {
			wanted = append(wanted, piece)
		}
	}
	for i, piece := range wanted {
		if d := piece - (first + i); max(d, -d) > 2 || len(order) > 2*count { // they are verified side by side
			t.Fatalf("written: %v", order)
		}
	}
	release()
	release()
	if look(t, s, func(s *Swarm) bool { return len(s.waits) > 0 }) {
		t.Error("a wait is left")
	}
	waitComplete(t, s)
	st.check(t, data)
	if err := s.WaitPieces(t.Context(), 0, man.NumPieces()); err != nil {
		t.Error(err)
	}
}

func TestWaitPieces(t *testing.T) {
	t.Parallel()
	man, data := content(t, 1<<20)
	n := man.NumPieces()
	s := newMember(t, "m", Config{}).join(t, man, newMemory(man), false)
	for _, w := range [][2]int{{-1, 1}, {0, -1}, {0, n + 1}, {n, 1}, {n + 1, 0}} {
		if err := s.WaitPieces(t.Context(), w[0], w[1]); !errors.Is(err, shoal.ErrInvalid) {
			t.Errorf("%v: %v", w, err)
		}
	}
	if err := s.WaitPieces(t.Context(), 5, 0); err != nil {
		t.Errorf("nothing to wait for: %v", err)
	}
	const many = 500
	var ended [2]sync.WaitGroup // those who wait for pieces 0 to 2, and 2 to 3
	for i := range many {
		for j, first := range []int{0, 2} {
			ended[j].Go(func() {
				if err := s.WaitPieces(t.Context(), first, 3-j); err != nil {
					t.Errorf("wait %d: %v", i, err)
				}
			})
		}
	}
	waiting := func() int {
		return look(t, s, func(s *Swarm) (sum int) {
			for _, ws := range s.waits {
				sum += len(ws)
			}
			return sum
		})
	}
	within(t, time.Minute, "all wait", func() bool { return waiting() == 2*many })
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error)
	go func() { gone <- s.WaitPieces(ctx, 2, 1) }()
	within(t, time.Minute, "one more waits", func() bool { return waiting() == 2*many+1 })
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("a wait that was given up: %v", err)
	}
	within(t, time.Minute, "it is forgotten", func() bool { return waiting() == 2*many })
	deliver := func(piece int) {
		if err := s.Deliver(t.Context(), piece, pieceOf(man, data, piece)); err != nil {
			t.Error(err)
		}
	}
	deliver(1)
	deliver(2)
	deliver(3)
	ended[1].Wait()
	if got := waiting(); got != many {
		t.Errorf("%d wait, want %d", got, many)
	}
	deliver(0)
	ended[0].Wait()
	go func() { gone <- s.WaitPieces(t.Context(), 4, 1) }()
	within(t, time.Minute, "one waits", func() bool { return waiting() == 1 })
	s.Leave()
	if err := <-gone; !errors.Is(err, shoal.ErrUnavailable) {
		t.Errorf("a wait that the end cut short: %v", err)
	}
}
