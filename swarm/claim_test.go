package swarm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
)

// recorder is a store that notes what is written, in order.
type recorder struct {
	*memory
	mu     sync.Mutex
	order  []int
	before func() // of every write
}

func newRecorder(m *shoal.Manifest) *recorder { return &recorder{memory: newMemory(m)} }

func (r *recorder) WritePiece(piece int, data []byte) error {
	if r.before != nil {
		r.before()
	}
	r.mu.Lock()
	r.order = append(r.order, piece)
	r.mu.Unlock()
	return r.memory.WritePiece(piece, data)
}

// written is the pieces in the order in which they were written.
func (r *recorder) written() []int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.order)
}

// checkOnce fails where a piece was written twice.
func (r *recorder) checkOnce(tb testing.TB) {
	tb.Helper()
	order := r.written()
	slices.Sort(order)
	if n := len(slices.Compact(order)); n != len(r.written()) {
		tb.Errorf("%d pieces written in %d writes", n, len(r.written()))
	}
}

// pieceOf is a copy of one piece's data.
func pieceOf(m *shoal.Manifest, data []byte, piece int) []byte {
	_, off := m.Locate(piece)
	return bytes.Clone(data[off:][:m.PieceSize(piece)])
}

// fetch claims and delivers until the swarm is complete. It gives back every
// third run in the middle.
func fetch(ctx context.Context, s *Swarm, m *shoal.Manifest, data []byte, pause time.Duration) error {
	for n := 1; ; n++ {
		first, count, ok := s.Claim(ctx, int64(4*m.PieceLength()), nil)
		if !ok {
			select {
			case <-s.Complete():
				return nil
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(pause):
			}
			continue
		}
		keep := count
		if n%3 == 0 {
			keep /= 2
		}
		for piece := first; piece < first+keep; piece++ {
			if err := s.Deliver(ctx, piece, pieceOf(m, data, piece)); err != nil {
				return err
			}
			time.Sleep(pause)
		}
		s.Release(first, count)
	}
}

// Peers and claims work on one piece map: whatever comes from where, each piece
// is stored once, and the bytes of all sources make up the content.
func TestClaimsRaceWithPeers(t *testing.T) {
	t.Parallel()
	man, data := content(t, 6<<20+777)
	origin := newMember(t, "origin", Config{Up: 8 << 20})
	origin.join(t, man, seeded(man, data), true)
	origin.peer.Seed = true
	peers := []Peer{origin.peer}
	var stores []*recorder
	var swarms []*Swarm
	var wg sync.WaitGroup
	for i := range 2 {
		m := newMember(t, fmt.Sprint("n", i), Config{})
		st := newRecorder(man)
		s := m.join(t, man, st, false, peers...)
		peers, stores, swarms = append(peers, m.peer), append(stores, st), append(swarms, s)
		for range 3 {
			wg.Go(func() {
				if err := fetch(t.Context(), s, man, data, 2*time.Millisecond); err != nil {
					t.Error(err)
				}
			})
		}
	}
	for i, s := range swarms {
		waitComplete(t, s)
		stores[i].check(t, data)
	}
	wg.Wait()
	for i, s := range swarms {
		stores[i].checkOnce(t)
		b := s.Stats().Bytes
		if b.Origin+b.Peers+b.Upstream != int64(len(data)) || b.Upstream == 0 || b.Origin+b.Peers == 0 {
			t.Errorf("node %d: %+v of %d", i, b, len(data))
		}
	}
}

func TestDeliver(t *testing.T) {
	t.Parallel()
	man, data := content(t, 1<<20)
	st := newRecorder(man)
	s := newMember(t, "m", Config{}).join(t, man, st, false)
	n := man.NumPieces()
	first, count, ok := s.Claim(t.Context(), 1<<30, nil)
	if !ok || first != 0 || count != n {
		t.Fatalf("claimed %d from %d on, %v", count, first, ok)
	}
	bad := pieceOf(man, data, 3)
	bad[0] ^= 1
	for _, wrong := range [][]byte{bad, nil, data} {
		if err := s.Deliver(t.Context(), 3, wrong); !errors.Is(err, shoal.ErrCorrupt) {
			t.Errorf("%d wrong bytes: %v", len(wrong), err)
		}
	}
	for _, piece := range []int{-1, n} {
		if err := s.Deliver(t.Context(), piece, bad); !errors.Is(err, shoal.ErrInvalid) {
			t.Errorf("piece %d: %v", piece, err)
		}
	}
	if _, _, ok := s.Claim(t.Context(), 1<<30, nil); ok {
		t.Error("what did not verify is free")
	}
	s.Release(3, n-3)
	if first, count, ok := s.Claim(t.Context(), 1, shoal.FullPieceSet(n)); !ok || count != 1 || first < 3 {
		t.Errorf("claimed %d from %d on, %v", count, first, ok)
	}
	var wg sync.WaitGroup
	for piece := range n {
		for range 3 { // at once, and once is enough
			wg.Go(func() {
				if err := s.Deliver(t.Context(), piece, pieceOf(man, data, piece)); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	waitComplete(t, s)
	st.check(t, data)
	st.checkOnce(t)
	if err := s.Deliver(t.Context(), 3, pieceOf(man, data, 3)); err != nil {
		t.Errorf("after it is complete: %v", err)
	}
	within(t, time.Minute, "all bytes are counted", func() bool {
		b := s.Stats().Bytes
		return b.Upstream == int64(len(data)) && b.Wasted == int64(2*len(data)+len(bad)+len(data)+len(bad))
	})
}

// Claims are restricted to what is allowed, and to what there is.
func TestClaimOfAllowedPieces(t *testing.T) {
	t.Parallel()
	man, _ := content(t, 1<<20)
	s := newMember(t, "m", Config{}).join(t, man, newMemory(man), false)
	if _, _, ok := s.Claim(t.Context(), 1<<20, shoal.FullPieceSet(1)); ok {
		t.Error("claimed by a set for another content")
	}
	allowed := shoal.NewPieceSet(man.NumPieces())
	for _, piece := range []int{2, 5, 6, 7} {
		allowed.Add(piece)
	}
	var got []int
	for {
		first, count, ok := s.Claim(t.Context(), 1<<30, allowed)
		if !ok {
			break
		}
		got = append(got, first, count)
	}
	if want := []int{2, 1, 5, 3}; !slices.Equal(got, want) {
		t.Errorf("claimed %v, want %v", got, want)
	}
}

// A claim that is given up while the loop is busy takes nothing, and nothing
// goes on after the swarm was left.
func TestClaimsEnd(t *testing.T) {
	t.Parallel()
	man, data := content(t, 1<<20)
	st := newRecorder(man)
	s := newMember(t, "m", Config{}).join(t, man, st, false)
	resume := make(chan struct{})
	s.post(inLoop(func(*Swarm) { <-resume }))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, _, ok := s.Claim(ctx, 1<<30, nil); ok {
		t.Error("claimed without the loop")
	}
	if err := s.Deliver(ctx, 0, pieceOf(man, data, 0)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("delivered: %v", err)
	}
	close(resume)
	if _, count, _ := s.Claim(t.Context(), 1<<30, nil); count != man.NumPieces() {
		t.Errorf("claimed %d pieces", count)
	}

	writing, written, left := make(chan struct{}), make(chan struct{}), make(chan struct{})
	st.before = func() {
		close(writing)
		<-written
	}
	go s.Deliver(context.Background(), 1, pieceOf(man, data, 1))
	<-writing
	go func() {
		s.Leave()
		close(left)
	}()
	select {
	case <-left:
		t.Error("left while a piece was being written")
	case <-time.After(20 * time.Millisecond):
	}
	close(written)
	<-left
	if _, _, ok := s.Claim(t.Context(), 1<<30, nil); ok {
		t.Error("claimed after the end")
	}
	s.Release(0, 5)
	if err := s.Deliver(t.Context(), 2, pieceOf(man, data, 2)); !errors.Is(err, shoal.ErrUnavailable) {
		t.Errorf("delivered after the end: %v", err)
	}
}

// A store that fails is the swarm's end, and every caller hears why.
func TestDeliverToAFullDisk(t *testing.T) {
	t.Parallel()
	man, data := content(t, 1<<20)
	st := newMemory(man)
	st.full = errors.New("disk full")
	s := newMember(t, "m", Config{}).join(t, man, st, false)
	wait := make(chan error, 1)
	go func() { wait <- s.WaitPieces(t.Context(), 0, 1) }()
	if err := s.Deliver(t.Context(), 0, pieceOf(man, data, 0)); !errors.Is(err, st.full) {
		t.Errorf("delivered: %v", err)
	}
	if err := <-wait; !errors.Is(err, st.full) {
		t.Errorf("waited: %v", err)
	}
	<-s.Done()
	if err := s.Deliver(t.Context(), 1, pieceOf(man, data, 1)); !errors.Is(err, st.full) {
		t.Errorf("delivered after the end: %v", err)
	}
}

// What is delivered keeps to the limit on received data.
func TestDeliverKeepsToTheRate(t *testing.T) {
	t.Parallel()
	const size, limit, burst = 1 << 20, 4 << 20, 128 << 10
	man, data := content(t, size)
	s := newMember(t, "m", Config{Down: limit}).join(t, man, newMemory(man), false)
	began := time.Now()
	if err := fetch(t.Context(), s, man, data, 0); err != nil {
		t.Fatal(err)
	}
	if least := time.Duration(float64(size-burst) / limit * float64(time.Second)); time.Since(began) < least {
		t.Errorf("took %v, not even %v", time.Since(began), least)
	}
}

// Stats say what the connected peers are good for.
func TestStatsOfPeers(t *testing.T) {
	t.Parallel()
	man, data := content(t, 1<<20)
	near := shoal.Locality{Carrier: "a"}
	s := newMember(t, "m", Config{Locality: near}).join(t, man, newMemory(man), false)
	n := man.NumPieces()
	has := func(useful, usefulNear, lacking int) func() bool {
		return func() bool {
			st := s.Stats()
			return st.Useful == useful && st.UsefulNear == usefulNear && st.Lacking == lacking
		}
	}
	within(t, time.Minute, "nobody is there", has(0, 0, n))
	s.Claim(t.Context(), 1<<30, nil) // nothing is asked of the peers
	part := newMember(t, "part", Config{Locality: near})
	st := newMemory(man)
	_ = st.WritePiece(1, pieceOf(man, data, 1))
	part.join(t, man, st, false)
	s.AddPeers([]Peer{part.peer})
	within(t, time.Minute, "a peer with one piece", has(1, 1, n-1))
	far := newMember(t, "far", Config{Locality: shoal.Locality{Carrier: "b"}})
	far.join(t, man, seeded(man, data), false)
	s.AddPeers([]Peer{far.peer})
	within(t, time.Minute, "another in a different carrier", has(2, 1, 0))
}

// A node that has everything dials when it is told to: the other side cannot
// (M8, push).
func TestConnectServesWhoCannotDial(t *testing.T) {
	man, data := content(t, 1<<20)
	seed, node := newMember(t, "seed", Config{}), newMember(t, "node", Config{})
	src := seed.join(t, man, seeded(man, data), true)
	st := newMemory(man)
	s := node.join(t, man, st, false) // it knows nobody
	waitComplete(t, src)
	src.Connect(node.peer)
	waitComplete(t, s)
	st.check(t, data)
}
