package swarm

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/swarm/exchange"
)

// Claim takes missing pieces that the caller will fetch by itself: consecutive,
// of one file, at most so many bytes together but one piece in any case, and
// among those in allowed (nil: all), which must be for as many pieces as the
// content has. No peer is asked for them until the caller has called Deliver or
// Release for each of them. What readers want goes first, then what the fewest
// peers have; in the end a piece may be taken from a peer that is much slower than
// claims have been. ok is false while there is nothing to claim, and where ctx or
// the swarm has ended.
func (s *Swarm) Claim(ctx context.Context, most int64, allowed *shoal.PieceSet) (first, count int, ok bool) {
	if allowed != nil && allowed.Len() != s.manifest.NumPieces() {
		return 0, 0, false
	}
	err := s.ask(ctx, func() {
		run, _ := applyFor[exchange.Claimed](s, exchange.ClaimAsked{Max: most, Allowed: allowed})
		first, count = run.First, run.Count
	})
	return first, count, err == nil && count > 0
}

// Release gives claimed pieces back; those that were delivered, or never
// claimed, are left as they are.
func (s *Swarm) Release(first, count int) {
	s.post(piecesReleased{first, count})
}

// Deliver verifies and stores a piece that came from elsewhere, usually a
// claimed one. It waits for its share of the limit on received data, and for its
// turn to verify. The data is the caller's again on return. After nil the piece is
// stored, or another copy of it is being verified or has been stored already.
// An error of kind [shoal.ErrCorrupt]: it did not verify, and stays claimed; of
// kind [shoal.ErrInvalid]: there is no such piece. An error of the store is the
// swarm's end, as everywhere.
func (s *Swarm) Deliver(ctx context.Context, piece int, data []byte) error {
	if err := s.deliver(ctx, piece, data); err != nil {
		return fmt.Errorf("deliver piece %d: %w", piece, err)
	}
	return nil
}

func (s *Swarm) deliver(ctx context.Context, piece int, data []byte) error {
	if n := s.manifest.NumPieces(); uint(piece) >= uint(n) {
		return fmt.Errorf("%w: there are %d", shoal.ErrInvalid, n)
	}
	if err := s.admit(ctx, len(data)); err != nil {
		return err
	}
	defer func() { <-s.hub.verify }()
	if !s.manifest.VerifyPiece(piece, data) {
		s.post(bytesWasted{len(data)})
		return shoal.ErrCorrupt
	}
	var stored chan error
	if err := s.ask(ctx, func() {
		if _, ok := applyFor[exchange.StorePiece](s, exchange.PieceDelivered{Piece: piece}); ok {
			stored = s.storeDelivered(piece, data)
		}
	}); err != nil {
		return err
	}
	if stored == nil {
		return nil
	}
	return <-stored
}

// admit waits until n received bytes are within the limit, and takes a place
// among those that verify; the caller gives it back.
func (s *Swarm) admit(ctx context.Context, n int) error {
	either, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	err := waitN(either, s.hub.down, n)
	if err == nil {
		s.hub.meter.down.Add(int64(n))
		select {
		case s.hub.verify <- struct{}{}:
			return nil
		case <-either.Done():
		}
	}
	if s.ctx.Err() != nil {
		return s.ended()
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// storeDelivered stores a verified piece in a goroutine that ends before the
// swarm does, and answers once.
func (s *Swarm) storeDelivered(piece int, data []byte) chan error {
	done := make(chan error, 1)
	s.wg.Go(func() {
		err := s.store.WritePiece(piece, data)
		if err != nil {
			s.cancel(fmt.Errorf("store piece %d: %w", piece, err))
		} else {
			s.post(pieceStored{piece})
		}
		done <- err
	})
	return done
}

// AvoidCross says whether to leave peers in other carriers alone, since what
// claims pieces has a better way across. They are served all the same.
func (s *Swarm) AvoidCross(avoid bool) { s.post(crossAvoided{avoid}) }

type (
	crossAvoided   struct{ avoid bool }
	piecesReleased struct{ first, count int }
	bytesWasted    struct{ n int }
)

func (e crossAvoided) handle(s *Swarm) { s.apply(exchange.CrossAvoided{Avoid: e.avoid}) }

func (e piecesReleased) handle(s *Swarm) {
	s.apply(exchange.ClaimReleased{First: e.first, Count: e.count})
}

func (e bytesWasted) handle(s *Swarm) { s.apply(exchange.BlockUnwanted{Length: e.n}) }

// applyFor is apply for an event that may be answered by an action of type A,
// which the caller carries out. Event loop only.
func applyFor[A exchange.Action](s *Swarm, ev exchange.Event) (answer A, ok bool) {
	for _, a := range s.state.Handle(time.Now(), ev) {
		if found, is := a.(A); is {
			answer, ok = found, true
		} else {
			s.carryOut(a)
		}
	}
	return answer, ok
}

// ask has the event loop run f and waits for it. On an error, since ctx or the
// swarm has ended, f has not run and never will.
func (s *Swarm) ask(ctx context.Context, f func()) error {
	q := &question{run: f, done: make(chan struct{})}
	var err error
	select {
	case s.events <- q:
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-s.ctx.Done():
		return s.ended()
	}
	select {
	case <-q.done:
		return nil
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-s.ctx.Done():
		err = s.ended()
	}
	if q.settled.CompareAndSwap(false, true) {
		return err
	}
	<-q.done
	return nil
}

// question is a function for the event loop. Either the loop runs it or the
// asker gives up first, never both, so that no answer is lost.
type question struct {
	run     func()
	settled atomic.Bool
	done    chan struct{}
}

func (q *question) handle(*Swarm) {
	if q.settled.CompareAndSwap(false, true) {
		q.run()
		close(q.done)
	}
}

// ended says why the swarm is over.
func (s *Swarm) ended() error {
	if err := s.Err(); err != nil {
		return err
	}
	return fmt.Errorf("%w: the swarm was left", shoal.ErrUnavailable)
}
