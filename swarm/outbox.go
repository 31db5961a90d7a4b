package swarm

import (
	"sync"
	"time"

	"github.com/shoal-cdn/shoal/swarm/exchange"
	"github.com/shoal-cdn/shoal/swarm/wire"
)

// maxControl bounds the control messages that may wait for a peer that does
// not read, in bytes. A bitfield of the largest content takes 512 KiB.
const maxControl = 4 << 20

// manyHaves is the length in bytes at which HAVEs are company enough for each other.
const manyHaves = 16 * 9

// outbox is what waits to be sent to one peer. Control messages go before the
// next block. HAVEs are not urgent: they go with whatever is sent next, or
// after a short while. The event loop puts, the writer takes; neither waits.
type outbox struct {
	mu      sync.Mutex
	control []byte
	haves   []byte
	wait    time.Duration // how long the first of them may wait
	block   *exchange.SendBlock
	wake    chan struct{} // holds a token while there may be something new
}

func newOutbox() *outbox { return &outbox{wake: make(chan struct{}, 1)} }

// put adds control messages by an append function and reports whether they fit.
func (o *outbox) put(add func([]byte) []byte) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.control = add(o.control)
	o.signal()
	return len(o.control) <= maxControl
}

// putHave wakes the writer only for the first HAVE that waits, whose time begins
// to run then, and when there are many.
func (o *outbox) putHave(piece int, wait time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	first := len(o.haves) == 0
	if first {
		o.wait = wait
	}
	o.haves = wire.AppendHave(o.haves, piece)
	if first || len(o.haves) >= manyHaves {
		o.signal()
	}
}

// putBlock sets the one block to be sent.
func (o *outbox) putBlock(b exchange.SendBlock) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.block = &b
	o.signal()
}

func (o *outbox) signal() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// take appends the control messages that wait to buf, and the HAVEs where
// something is written anyway, there are many, or flush is set. It returns the block that is to
// be sent, if one was put since the last call, and how long the HAVEs that still wait
// may do so from when they began; 0: none wait.
func (o *outbox) take(buf []byte, flush bool) (out []byte, block *exchange.SendBlock, wait time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	block, o.block = o.block, nil
	buf = append(buf, o.control...)
	o.control = o.control[:0]
	if len(buf) > 0 || block != nil || flush || len(o.haves) >= manyHaves {
		buf = append(buf, o.haves...)
		o.haves = o.haves[:0]
	}
	if len(o.haves) > 0 {
		wait = o.wait
	}
	return buf, block, wait
}
