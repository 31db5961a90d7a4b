package storetest

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/store"
)

// Every piece is written by several goroutines while others read whatever is
// held and sync.
func testConcurrent(t *testing.T, s store.Store) {
	x := SampleFile(t, "f", 40*PieceLength+5)
	c := create(t, s, x.M, "")
	n := x.M.NumPieces()
	var writers, readers sync.WaitGroup
	done := make(chan struct{})
	for w := range 4 {
		writers.Go(func() {
			for i := range n {
				i = (i + w*n/8) % n
				if err := c.WritePiece(i, x.Piece(t, i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 2 {
		readers.Go(func() {
			buf := make([]byte, PieceLength)
			for {
				for i := range c.Pieces().All() {
					data := buf[:x.M.PieceSize(i)]
					if err := c.ReadAt(data, i, 0); err != nil || !x.M.VerifyPiece(i, data) {
						t.Errorf("piece %d: wrong, or %v", i, err)
						return
					}
				}
				if err := c.Sync(); err != nil {
					t.Error(err)
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	writers.Wait()
	close(done)
	readers.Wait()
	WantPieces(t, c, x, x.All()...)
}

// A read that runs into a Delete gives the right bytes or ErrNotFound.
func testDeleteWhileReading(t *testing.T, s store.Store) {
	x := SampleFile(t, "f", 8*PieceLength)
	c := create(t, s, x.M, "")
	Fill(t, c, x)
	var readers sync.WaitGroup
	reading := make(chan struct{}, 4)
	for range 4 {
		readers.Go(func() {
			buf := make([]byte, PieceLength)
			for i := 0; ; i = (i + 1) % 8 {
				err := c.ReadAt(buf, i, 0)
				if errors.Is(err, shoal.ErrNotFound) {
					return
				}
				if err != nil || !x.M.VerifyPiece(i, buf) {
					t.Errorf("piece %d: wrong, or %v", i, err)
					return
				}
				select {
				case reading <- struct{}{}:
				default:
				}
			}
		})
	}
	<-reading
	must(t, s.Delete(x.M.ID()))
	readers.Wait()
}

func testRecheckCancelled(t *testing.T, s store.Store) {
	x := SampleFile(t, "f", 20*PieceLength)
	c := create(t, s, x.M, "")
	Fill(t, c, x)
	ctx, cancel := context.WithCancel(t.Context())
	err := s.Recheck(ctx, x.M.ID(), func(int64, int64) { cancel() })
	wantErr(t, err, context.Canceled)
	WantPieces(t, c, x, x.All()...)
}
