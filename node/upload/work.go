package upload

import (
	"slices"
	"sync"

	"github.com/shoal-cdn/shoal"
)

// span is a run of chunks.
type span struct{ first, count int }

func (s span) end() int { return s.first + s.count }

// work is which chunks one server still wants, and who is sending what. Each
// chunk is in exactly one of three states: settled, queued, or taken by a
// connection. It is safe for concurrent use.
type work struct {
	sizeOf func(chunk int) int

	mu     sync.Mutex
	wake   chan struct{} // closed, and replaced, when something was queued or settled
	queue  []span        // in order, apart from each other
	queued int64         // bytes in queue
	taken  map[*grant]struct{}
	open   int // chunks that are not settled
}

// grant is a run of chunks that one connection is sending. Its owner returns it
// with settle or giveBack, exactly once.
type grant struct {
	span
	bytes int64
}

// newWork takes the server's word for what is missing.
func newWork(missing []span, sizeOf func(chunk int) int) *work {
	w := &work{sizeOf: sizeOf, wake: make(chan struct{}), taken: map[*grant]struct{}{}}
	for _, s := range missing {
		w.open += s.count
		w.enqueue(s)
	}
	return w
}

// take grants chunks from the front of the queue: as many whole ones as fit
// into so many bytes, and at least one. It returns nil where nothing is queued.
func (w *work) take(most int64) *grant {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue) == 0 {
		return nil
	}
	g := &grant{span: span{first: w.queue[0].first}}
	for g.count < w.queue[0].count {
		n := int64(w.sizeOf(g.end()))
		if g.count > 0 && g.bytes+n > most {
			break
		}
		g.count++
		g.bytes += n
	}
	w.queue[0].first += g.count
	w.queue[0].count -= g.count
	if w.queue[0].count == 0 {
		w.queue = slices.Delete(w.queue, 0, 1)
	}
	w.queued -= g.bytes
	w.taken[g] = struct{}{}
	return g
}

// settle says that the server has all of g.
func (w *work) settle(g *grant) { w.finish(g, nil) }

// giveBack says that of g the server still wants these chunks; the parts of
// missing that are not in g don't count.
func (w *work) giveBack(g *grant, missing []span) { w.finish(g, intersect(g.span, missing)) }

func (w *work) finish(g *grant, again []span) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.taken, g)
	w.open -= g.count
	for _, s := range again {
		w.open += s.count
		w.enqueue(s)
	}
	close(w.wake)
	w.wake = make(chan struct{})
}

// enqueue is called with mu held, or before w is shared.
func (w *work) enqueue(s span) {
	for i := range s.count {
		w.queued += int64(w.sizeOf(s.first + i))
	}
	at, _ := slices.BinarySearchFunc(w.queue, s, func(a, b span) int { return a.first - b.first })
	w.queue = slices.Insert(w.queue, at, s)
	if at+1 < len(w.queue) && s.end() == w.queue[at+1].first {
		w.queue[at].count += w.queue[at+1].count
		w.queue = slices.Delete(w.queue, at+1, at+2)
	}
	if at > 0 && w.queue[at-1].end() == w.queue[at].first {
		w.queue[at-1].count += w.queue[at].count
		w.queue = slices.Delete(w.queue, at, at+1)
	}
}

// state is how much is queued, how many chunks are not settled, and a channel
// that is closed when that changes for the better or the worse.
func (w *work) state() (queued int64, open int, changed <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.queued, w.open, w.wake
}

// intersect is the part of missing, which is in order, that lies within s.
func intersect(s span, missing []span) []span {
	var parts []span
	for _, m := range missing {
		first, end := max(s.first, m.first), min(s.end(), m.end())
		if first < end {
			parts = append(parts, span{first, end - first})
		}
	}
	return parts
}

// checkMissing brings a server's list of missing runs into order, and refuses
// one that speaks of other chunks than there are, or of one twice.
func checkMissing(missing []span, chunks int) ([]span, bool) {
	sorted := slices.SortedFunc(slices.Values(missing), func(a, b span) int { return a.first - b.first })
	next := 0
	for _, s := range sorted {
		if s.first < next || s.count <= 0 || s.count > chunks-s.first {
			return nil, false
		}
		next = s.end()
	}
	return sorted, true
}

// bytesOf is how many bytes runs of chunks have.
func bytesOf(m *shoal.Manifest, spans []span) int64 {
	var n int64
	for _, s := range spans {
		for i := range s.count {
			n += int64(m.PieceSize(s.first + i))
		}
	}
	return n
}
