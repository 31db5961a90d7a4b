package manifest

import (
	"context"
	"slices"
	"sync"

	"github.com/shoal-cdn/shoal"
)

// line gives places to peers: [maxServed] at a time, one to a peer. Others wait for
// theirs in the order that they came, a bounded number of them. It is safe for
// concurrent use; the zero value is not.
type line struct {
	mu      sync.Mutex
	serving map[shoal.NodeID]bool
	waiting []*waiter
}

type waiter struct {
	peer  shoal.NodeID
	ready chan struct{} // closed when it has a place
}

func newLine() *line { return &line{serving: make(map[shoal.NodeID]bool)} }

// enter takes a place for a peer, which leave gives back. It is false where none comes
// free before ctx ends, or too many wait.
func (l *line) enter(ctx context.Context, peer shoal.NodeID) bool {
	l.mu.Lock()
	if !l.serving[peer] && len(l.serving) < maxServed {
		l.serving[peer] = true
		l.mu.Unlock()
		return true
	}
	if len(l.waiting) >= maxWaiting || l.count(peer) >= maxPeerWaiting {
		l.mu.Unlock()
		return false
	}
	w := &waiter{peer, make(chan struct{})}
	l.waiting = append(l.waiting, w)
	l.mu.Unlock()
	select {
	case <-w.ready:
		return true
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.Index(l.waiting, w)
	if i >= 0 {
		l.waiting = slices.Delete(l.waiting, i, i+1)
	}
	return i < 0 // its turn came just now
}

// leave gives a peer's place back, to the first who can have it.
func (l *line) leave(peer shoal.NodeID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.serving, peer)
	i := slices.IndexFunc(l.waiting, func(w *waiter) bool { return !l.serving[w.peer] })
	if i < 0 {
		return
	}
	next := l.waiting[i]
	l.waiting = slices.Delete(l.waiting, i, i+1)
	l.serving[next.peer] = true
	close(next.ready)
}

// count is how often a peer waits. The caller holds mu.
func (l *line) count(peer shoal.NodeID) (n int) {
	for _, w := range l.waiting {
		if w.peer == peer {
			n++
		}
	}
	return n
}
