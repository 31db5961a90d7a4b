package swarm

import (
	"slices"
	"sync"
	"time"
)

// trimEvery is how often a pool looks what was needed of it: a buffer that is not
// needed stays for at most twice that.
const trimEvery = 5 * time.Second

// leastBuffer is the length of the smallest buffers that are recycled, bytes.
const leastBuffer = 16 << 10

// pool recycles the buffers of pieces of one length: one content's serve the next. It is safe
// for concurrent use. The ends of files, and small files, have buffers of half that length, a
// quarter, and so on: of a folder of small files no piece is longer, and a new
// buffer for each would be nearly all that the collector has to do.
//
// The buffers lie outside of Go's heap (mapping_unix.go). Within it they would be most of what
// lives there, though a collection has nothing to look for in them: the heap would be let
// grow to twice their size before the next, and be slow to shrink when they are idle. So a
// buffer must be put back once, when nothing will touch it any more.
type pool struct {
	size int
	half *pool // for pieces that a buffer of half the size holds; nil: those are too small to recycle

	mu    sync.Mutex
	free  [][]byte
	spare int         // the fewest that were free since the last trim: they were not needed
	timer *time.Timer // of the next trim; nil where it found none free
}

func newPool(size int) *pool {
	p := &pool{size: size}
	if size/2 >= leastBuffer {
		p.half = newPool(size / 2)
	}
	return p
}

// get returns a buffer of n bytes, at most size, with anything in it.
func (p *pool) get(n int) []byte {
	if n <= p.size/2 {
		if p.half == nil {
			return make([]byte, n)
		}
		return p.half.get(n)
	}
	if b := p.recycled(); b != nil {
		return b[:n]
	}
	return newMapping(p.size)[:n]
}

// recycled returns a free buffer, or nil where there is none.
func (p *pool) recycled() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.free) - 1
	if last < 0 {
		return nil
	}
	b := p.free[last]
	p.free = slices.Delete(p.free, last, last+1)
	p.spare = min(p.spare, last)
	return b
}

// put takes a buffer of get's back.
func (p *pool) put(b []byte) {
	if b = b[:cap(b)]; len(b) != p.size {
		if p.half != nil {
			p.half.put(b)
		}
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = append(p.free, b)
	if p.timer == nil {
		p.timer = time.AfterFunc(trimEvery, p.trim)
	}
}

// trim gives the system back what nobody has needed since the last time.
func (p *pool) trim() {
	for _, b := range p.unneeded() {
		if !unmap(b) {
			p.put(b)
		}
	}
}

// unneeded takes out what nobody has needed since the last trim, and arms the next one. The
// unmapping is left to the caller: event loops wait for mu.
func (p *pool) unneeded() [][]byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	idle := slices.Clone(p.free[:p.spare])
	p.free = slices.Delete(p.free, 0, p.spare)
	p.spare = len(p.free)
	if p.spare == 0 {
		p.timer = nil
	} else {
		p.timer.Reset(trimEvery)
	}
	return idle
}
