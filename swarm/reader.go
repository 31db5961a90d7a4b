package swarm

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/swarm/exchange"
)

// Want makes pieces urgent until release is called: they are requested and
// claimed before any others, in order from the first on, also of an origin that has
// not offered them yet. Of many pieces only the first few hundred count, and of
// many readers the first few hundred (package picker): a reader wants what it
// will read in the next seconds, and calls Want again, before it releases the
// last, as it goes on. Pieces that are here or do not exist are of no matter.
func (s *Swarm) Want(first, count int) (release func()) {
	reader := s.readers.Add(1)
	s.post(piecesWanted{exchange.PiecesWanted{Reader: reader, First: first, Count: count}})
	return sync.OnceFunc(func() { s.post(readerGone{reader}) })
}

// WaitPieces waits until count pieces from first on can be read. The error is
// ctx's, or says why the swarm ended before; of kind [shoal.ErrInvalid] where
// there are no such pieces. A wait costs little, however many there are; it does
// not make the pieces come sooner (see Want).
func (s *Swarm) WaitPieces(ctx context.Context, first, count int) error {
	if n := s.manifest.NumPieces(); first < 0 || count < 0 || first > n || count > n-first {
		return fmt.Errorf("wait for %d pieces from %d on: %w: there are %d", count, first, shoal.ErrInvalid, n)
	}
	select {
	case <-s.complete:
		return nil
	default:
	}
	w := &wait{next: first, end: first + count, done: make(chan struct{})}
	err := s.ask(ctx, func() { s.waits.add(w, s.state.Held()) })
	if err == nil {
		select {
		case <-w.done:
			return nil
		case <-ctx.Done():
			s.post(waitOver{w})
			err = context.Cause(ctx)
		case <-s.ctx.Done():
			err = s.ended()
		}
	}
	return fmt.Errorf("wait for %d pieces from %d on: %w", count, first, err)
}

type (
	piecesWanted struct{ exchange.PiecesWanted }
	readerGone   struct{ reader uint64 }
	waitOver     struct{ w *wait }
)

func (e piecesWanted) handle(s *Swarm) { s.apply(e.PiecesWanted) }

func (e readerGone) handle(s *Swarm) { s.apply(exchange.ReaderGone{Reader: e.reader}) }

func (e waitOver) handle(s *Swarm) { s.waits.remove(e.w) }

// waits are the callers that wait for pieces, each under the first of its
// pieces that is missing. Event loop only.
type waits map[int][]*wait

type wait struct {
	next, end int
	done      chan struct{} // closed when all are held
}

// add lists a wait, or ends it where everything is here.
func (ws waits) add(w *wait, held *shoal.PieceSet) {
	for w.next < w.end && held.Has(w.next) {
		w.next++
	}
	if w.next == w.end {
		close(w.done)
		return
	}
	ws[w.next] = append(ws[w.next], w)
}

// stored moves those on that waited for a piece.
func (ws waits) stored(piece int, held *shoal.PieceSet) {
	waiting := ws[piece]
	delete(ws, piece)
	for _, w := range waiting {
		ws.add(w, held)
	}
}

// remove forgets a wait that has not ended.
func (ws waits) remove(w *wait) {
	rest := slices.DeleteFunc(ws[w.next], func(o *wait) bool { return o == w })
	if len(rest) == 0 {
		delete(ws, w.next)
		return
	}
	ws[w.next] = rest
}
