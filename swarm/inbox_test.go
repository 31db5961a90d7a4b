package swarm

import (
	"math/rand/v2"
	"sync"
	"testing"
)

func newTestInbox(size int) *inbox {
	return &inbox{pieces: make(map[int]*arriving), pool: newPool(size)}
}

func TestInboxTakesBlocksInOrder(t *testing.T) {
	b := newTestInbox(8)
	b.expect(1, 8)
	for _, tt := range []struct {
		piece, begin, length int
		want                 bool
	}{
		{2, 0, 4, false},         // not expected
		{1, 4, 4, false},         // not the next one
		{1, 0, 9, false},         // too long
		{1, 0, 5, true},          //
		{1, 0, 5, false},         // twice
		{1, 4, 4, false},         // overlaps
		{1, 5, 4, false},         // past the end
		{1, 5, 1<<63 - 1, false}, //
		{1, 5, 3, true},
		{1, 0, 1, false}, // complete
		{1, 8, 1, false},
	} {
		p, a := b.begin(tt.piece, tt.begin, tt.length)
		if (a != nil) != tt.want || len(p) != map[bool]int{true: tt.length}[tt.want] {
			t.Errorf("%+v: %d bytes, %v", tt, len(p), a)
		}
		if a != nil {
			copy(p, "abcdefgh"[tt.begin:])
			b.end(a)
		}
	}
	if got := string(b.take(1)); got != "abcdefgh" {
		t.Errorf("%q", got)
	}
	if len(b.pieces) != 0 {
		t.Errorf("%d pieces left", len(b.pieces))
	}
}

// What was read for a request that was taken back does not count for a later
// one of the same piece, whose buffer is another.
func TestInboxTellsRequestsApart(t *testing.T) {
	b := newTestInbox(8)
	b.expect(1, 8)
	_, before := b.begin(1, 0, 4)
	b.end(before)
	_, during := b.begin(1, 4, 2)
	b.drop(1)
	b.expect(1, 8)
	b.end(during)
	_, after := b.begin(1, 0, 4)
	b.end(after)
	if b.wanted(before) || b.wanted(during) || !b.wanted(after) {
		t.Errorf("wanted: %v, %v, %v", b.wanted(before), b.wanted(during), b.wanted(after))
	}
	b.expect(1, 8) // asked again without a word
	if b.wanted(after) {
		t.Error("the buffer of a request that was replaced is wanted")
	}
	b.drop(2)
	b.close()
	if p, a := b.begin(1, 0, 4); p != nil || a != nil {
		t.Error("a closed inbox takes a block")
	}
}

// A buffer is never recycled while the reader fills it (run with -race).
func TestInboxOwnership(t *testing.T) {
	const size = 64
	b := newTestInbox(size)
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { // the reader
		for fill := byte(0); ; fill++ {
			select {
			case <-done:
				return
			default:
			}
			for piece := range 4 {
				for begin := 0; begin < size; begin += size / 4 {
					if p, a := b.begin(piece, begin, size/4); a != nil {
						for i := range p {
							p[i] = byte(piece)
						}
						b.end(a)
					}
				}
			}
		}
	})
	rng := rand.New(rand.NewPCG(1, 2))
	taken := 0
	for taken < 500 { // the event loop
		piece := rng.IntN(4)
		b.mu.Lock()
		a := b.pieces[piece]
		whole := a != nil && a.filled == size && !a.filling
		b.mu.Unlock()
		switch {
		case a == nil:
			b.expect(piece, size)
		case whole:
			buf := b.take(piece)
			for _, c := range buf {
				if c != byte(piece) {
					t.Fatalf("piece %d has a byte of piece %d", piece, c)
				}
			}
			taken++
			b.pool.put(buf)
		case rng.IntN(100) == 0:
			b.drop(piece)
		}
	}
	close(done)
	wg.Wait()
}
