package upload

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/shoal-cdn/shoal/node/ingest/api"
)

var (
	errStalled = errors.New("nothing was taken for too long")
	errRevoked = errors.New("the request is over")
	errStolen  = errors.New("a faster connection goes on with it")
)

const (
	// stallTime is how long a connection may take nothing of a request.
	stallTime = 15 * time.Second
	// answerTime is how long the answer to a request may take that was taken in
	// full: the server makes the chunks durable first.
	answerTime = 60 * time.Second
)

// body is the body of a request. It is safe for concurrent use: a transport may
// still read when the request has failed, see revoke.
type body struct {
	length int64
	gate   *gate
	ended  chan struct{} // closed when over

	mu   sync.Mutex // guards the fields below
	data []byte     // what was not read yet
	over bool       // the data belongs to somebody else again

	sent atomic.Int64 // bytes that the transport has taken
	last atomic.Int64 // when it took some, ns after born
	born time.Time
	all  func() // is called, perhaps again and again, when all was taken
}

func newBody(data []byte, g *gate, all func()) *body {
	return &body{length: int64(len(data)), gate: g, ended: make(chan struct{}), data: data, born: time.Now(), all: all}
}

func (b *body) Read(p []byte) (int, error) {
	b.gate.wait(b.ended)
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.over:
		return 0, errRevoked
	case len(b.data) == 0:
		return 0, io.EOF
	}
	// Small enough for the counters to move steadily.
	n := copy(p[:min(len(p), 64<<10)], b.data)
	b.data = b.data[n:]
	b.sent.Add(int64(n))
	b.last.Store(int64(time.Since(b.born)))
	if len(b.data) == 0 {
		b.all()
	}
	return n, nil
}

// revoke keeps the transport from the data, which is used for the next request. It is called once.
func (b *body) revoke() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over, b.data = true, nil
	close(b.ended)
}

func (b *body) Close() error { return nil }

// guard ends ctx where the body stands still for too long.
func (b *body) guard(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			idle, limit := time.Since(b.born)-time.Duration(b.last.Load()), stallTime
			if b.sent.Load() == b.length {
				limit = answerTime
			}
			if idle > limit {
				cancel(errStalled)
				return
			}
		}
	}()
	return ctx, func() { cancel(nil) }
}

// size is the body's length (Content-Length).
func (b *body) size() int64 { return b.length }

func digestOf(data []byte) api.Digest { return sha256.Sum256(data) }
