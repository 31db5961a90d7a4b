package upload

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/shoal-cdn/shoal"
)

const (
	// laneFailures is after how many failures in a row a connection is given up.
	laneFailures = 3
	lanePause    = 200 * time.Millisecond // after a failure; doubled each time
	idlePause    = 500 * time.Millisecond // between looks for somebody to relieve
	// maxRefusals is how often one chunk may arrive damaged before the way there
	// is held for broken.
	maxRefusals = 10
)

// lane is one of the parallel connections to a server: it sends one request
// after the other.
type lane struct {
	*session
	number int
	client *client

	mu    sync.Mutex // guards the fields below
	speed shoal.Rate // smoothed; at first a guess
	busy  *flight    // nil between requests
}

// run sends until nothing is missing. It returns an error where the connection
// is of no use any more, or the upload cannot go on.
func (l *lane) run(ctx context.Context) error {
	defer l.stop()
	var buf []byte
	failures := 0
	for {
		g, pass, err := l.take(ctx)
		if err != nil {
			return err
		}
		if g == nil {
			more, err := l.idle(ctx)
			if !more {
				return err
			}
			continue
		}
		buf, err = l.send(ctx, g, buf[:0], failures > 0, pass)
		pass()
		switch {
		case err == nil:
			failures = 0
			continue
		case isFinal(err) || ctx.Err() != nil:
			return err
		case isAny(err):
			return err
		case errors.Is(err, errStolen), errors.Is(err, errMoved):
			continue
		}
		if _, ok := errors.AsType[*refusal](err); ok {
			failures = 0 // the connection works
			continue
		}
		l.log.Debug("a request failed", "server", l.route.candidate.Name, "connection", l.number, "err", err)
		if failures++; failures >= laneFailures {
			return err
		}
		if err := pause(ctx, lanePause<<failures); err != nil {
			return err
		}
	}
}

// stop takes the connection out of the sum of speeds.
func (l *lane) stop() {
	l.client.close()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.speed = 0
}

// take waits for the connection's turn to send; pass, which may be called again, ends it. g is nil
// where there is nothing to send.
func (l *lane) take(ctx context.Context) (g *grant, pass func(), err error) {
	if queued, _, _ := l.work.state(); queued == 0 {
		return nil, nil, nil
	}
	select {
	case <-l.turns:
	case <-ctx.Done():
		return nil, nil, context.Cause(ctx)
	}
	queued, _, _ := l.work.state()
	own, all := l.speeds(l)
	pass = sync.OnceFunc(func() { l.turns <- struct{}{} })
	if g = l.work.take(requestBytes(own, all, queued, l.route.rtt)); g == nil {
		pass()
	}
	return g, pass, nil
}

// idle waits until there is something to do again, and relieves a slower
// connection of its request meanwhile; false when all is settled.
func (l *lane) idle(ctx context.Context) (bool, error) {
	queued, open, changed := l.work.state()
	switch {
	case open == 0:
		return false, nil
	case queued > 0:
		return true, nil
	}
	l.relieve(l)
	timer := time.NewTimer(idlePause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false, context.Cause(ctx)
	case <-changed:
	case <-timer.C:
	}
	return true, nil
}

// send sends g and returns it to the queue of work, whatever happens; carefully
// after a failure. It calls pass when the connection has taken all of it.
func (l *lane) send(ctx context.Context, g *grant, buf []byte, careful bool, pass func()) ([]byte, error) {
	data, err := l.source.read(buf, g.span)
	if err != nil {
		l.work.giveBack(g, []span{g.span})
		return data, fmt.Errorf("upload chunk %d: %w", g.first, err)
	}
	b := newBody(data, &l.gate, pass)
	guarded, stop := b.guard(ctx)
	defer stop()
	guarded, cancel := context.WithCancelCause(guarded)
	defer cancel(nil)
	l.begin(&flight{g, b, cancel})
	err = l.client.put(guarded, l.task, g.span, digestOf(data), b, careful)
	b.revoke()
	if err != nil && guarded.Err() != nil && ctx.Err() == nil {
		err = fmt.Errorf("%w: %w", shoal.ErrUnavailable, context.Cause(guarded))
	}
	l.end(b, g, err)
	if err == nil {
		l.work.settle(g)
		l.settled(g.bytes)
		return data, nil
	}
	return data, l.failed(ctx, g, data, err)
}

// failed finds out what of a request that failed the server still wants.
func (l *lane) failed(ctx context.Context, g *grant, data []byte, err error) error {
	missing := []span{g.span}
	if r, ok := errors.AsType[*refusal](err); ok {
		missing = intersect(g.span, r.chunks)
		// Bad from the start, or on the way?
		if changed := l.source.verify(data, g.span); changed != nil {
			err = changed
		} else {
			err = l.refused(missing, err)
		}
	} else if ctx.Err() == nil {
		// Whole chunks of a request that broke are kept.
		if s, statusErr := l.control.status(ctx, l.task, l.chunks()); statusErr == nil {
			missing = intersect(g.span, s.missing)
		}
	}
	l.settled(g.bytes - bytesOf(l.source.manifest, missing))
	l.work.giveBack(g, missing)
	return err
}

// abandon ends what is under way over the connection, and the connection with it.
func (l *lane) abandon(why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.busy != nil {
		l.busy.cancel(why)
	}
	l.client.reset()
}

func (l *lane) currentSpeed() shoal.Rate {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.speed
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
