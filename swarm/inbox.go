package swarm

import "sync"

// inbox holds the buffers of the pieces that are asked of one peer. The event
// loop adds and takes them; the reader fills them from front to back, and
// never writes what it has filled again: what was verified stays as it was.
// While the reader fills a buffer, it is only marked as dropped.
type inbox struct {
	mu     sync.Mutex
	pieces map[int]*arriving
	pool   *pool
}

type arriving struct {
	buf     []byte
	filled  int // bytes that have come, or are coming
	filling bool
	dropped bool // by the event loop: what comes is not wanted any more
}

// expect makes room for a piece.
func (b *inbox) expect(piece, size int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if a := b.pieces[piece]; a != nil {
		b.release(piece, a)
	}
	b.pieces[piece] = &arriving{buf: b.pool.get(size)}
}

// begin returns the part of a piece's buffer where a block belongs, or nil
// where the piece is not expected or the block is not the next of it. The
// caller calls end when it has filled that part.
func (b *inbox) begin(piece, begin, length int) (p []byte, a *arriving) {
	b.mu.Lock()
	defer b.mu.Unlock()
	a = b.pieces[piece]
	if a == nil || begin != a.filled || length > len(a.buf)-begin {
		return nil, nil
	}
	a.filling = true
	a.filled += length
	return a.buf[begin : begin+length], a
}

// end gives the buffer back after begin.
func (b *inbox) end(a *arriving) {
	b.mu.Lock()
	defer b.mu.Unlock()
	a.filling = false
	if a.dropped {
		b.pool.put(a.buf)
	}
}

// wanted reports whether what came for a still counts.
func (b *inbox) wanted(a *arriving) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !a.dropped
}

// drop forgets a piece and its buffer.
func (b *inbox) drop(piece int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if a := b.pieces[piece]; a != nil {
		b.release(piece, a)
	}
}

// close forgets all pieces.
func (b *inbox) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for piece, a := range b.pieces {
		b.release(piece, a)
	}
}

func (b *inbox) release(piece int, a *arriving) {
	delete(b.pieces, piece)
	a.dropped = true
	if !a.filling {
		b.pool.put(a.buf)
	}
}

// take hands a whole piece's buffer over.
func (b *inbox) take(piece int) []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.pieces[piece]
	delete(b.pieces, piece)
	return a.buf
}
