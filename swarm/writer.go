package swarm

import (
	"slices"
	"time"

	"github.com/shoal-cdn/shoal/swarm/exchange"
	"github.com/shoal-cdn/shoal/swarm/wire"
)

// overlapBlock is the length from which on a block may queue behind another: only
// uplinks that send it within 16 ms are given such long ones.
const overlapBlock = 96 << 10

// write sends what is in the outbox until the connection ends.
func (c *conn) write() {
	w := writer{conn: c, timer: time.NewTimer(keepAlive)}
	if err := w.run(); err != nil && c.ctx.Err() == nil {
		c.swarm.log.Debug("write to peer failed", "peer", c.peer, "err", err)
	}
	w.timer.Stop()
	c.close()
}

// writer is the writing goroutine's state.
type writer struct {
	*conn
	timer    *time.Timer
	buf      []byte
	deadline time.Time           // of the stream's writes, as last set
	block    *exchange.SendBlock // taken and not yet sent
	ready    time.Time           // when the rate limit lets it go
	havesDue time.Time           // when the HAVEs that wait must go; zero: none wait
	quiet    time.Time           // when a keep-alive is due
}

func (w *writer) run() error {
	w.quiet = time.Now().Add(keepAlive)
	for {
		now := time.Now()
		if err := w.step(now); err != nil {
			return err
		}
		if len(w.buf) > 0 {
			continue // something was written: look again before waiting
		}
		wake := w.quiet
		if w.block != nil && w.ready.Before(wake) {
			wake = w.ready
		}
		if !w.havesDue.IsZero() && w.havesDue.Before(wake) {
			wake = w.havesDue
		}
		w.timer.Reset(wake.Sub(now))
		select {
		case <-w.ctx.Done():
			return nil
		case <-w.out.wake:
		case <-w.timer.C:
		}
	}
}

// step writes what can go now; buf is what was written.
func (w *writer) step(now time.Time) error {
	flush := !w.havesDue.IsZero() && !now.Before(w.havesDue)
	var block *exchange.SendBlock
	var wait time.Duration
	w.buf, block, wait = w.out.take(w.buf[:0], flush)
	switch {
	case wait == 0:
		w.havesDue = time.Time{}
	case w.havesDue.IsZero():
		w.havesDue = now.Add(wait)
	}
	if block != nil {
		w.block, w.ready = block, now.Add(reserve(w.swarm.hub.up, now, block.Length))
	}
	if w.block != nil && !now.Before(w.ready) {
		b := *w.block
		w.block = nil
		return w.writeBlock(b)
	}
	if len(w.buf) == 0 && !now.Before(w.quiet) {
		w.buf = wire.AppendKeepAlive(w.buf)
	}
	if len(w.buf) == 0 {
		return nil
	}
	return w.flush(w.buf)
}

func (w *writer) flush(p []byte) error {
	now := time.Now()
	if w.deadline.Sub(now) < idleTimeout-deadlineSlack {
		w.deadline = now.Add(idleTimeout)
		_ = w.stream.SetWriteDeadline(w.deadline)
	}
	w.quiet = now.Add(keepAlive)
	_, err := w.stream.Write(p)
	return err
}

// writeBlock writes buf and a block in one go, and waits until it is on its way.
func (w *writer) writeBlock(b exchange.SendBlock) error {
	control := len(w.buf)
	w.buf = wire.AppendBlockHeader(w.buf, b.Piece, b.Begin, b.Length)
	head := len(w.buf)
	w.buf = slices.Grow(w.buf, b.Length)[:head+b.Length]
	if err := w.swarm.store.ReadAt(w.buf[head:], b.Piece, int64(b.Begin)); err != nil {
		w.swarm.log.Warn("cannot read a piece to serve it", "piece", b.Piece, "err", err)
		w.event(exchange.ReadFailed{Peer: w.peer, Piece: b.Piece})
		return w.flush(w.buf[:control])
	}
	if err := w.flush(w.buf); err != nil {
		return err
	}
	// What is sent in no time may queue a little, so that reading the next block
	// and encrypting this one overlap.
	queue := 0
	if b.Length >= overlapBlock {
		queue = b.Length
	}
	w.stream.Drain(w.ctx, queue)
	w.swarm.hub.meter.up.Add(int64(b.Length))
	w.event(exchange.BlockSent{Peer: w.peer})
	return nil
}
