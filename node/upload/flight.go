package upload

import (
	"context"
	"fmt"
	"time"

	"github.com/shoal-cdn/shoal"
)

// flight is a request under way.
type flight struct {
	grant  *grant
	body   *body
	cancel context.CancelCauseFunc
}

// begin and end keep account of a request.
func (l *lane) begin(f *flight) {
	l.log.Debug("request", "server", l.route.candidate.Name, "connection", l.number,
		"chunks", fmt.Sprintf("%d-%d", f.grant.first, f.grant.end()-1), "bytes", f.grant.bytes, "speed", l.currentSpeed().Short())
	l.mu.Lock()
	defer l.mu.Unlock()
	l.busy = f
}

func (l *lane) end(b *body, g *grant, err error) {
	took, sent := time.Since(b.born), b.sent.Load()
	l.mu.Lock()
	l.busy = nil
	if now := shoal.Rate(float64(sent) / max(took.Seconds(), 1e-3)); sent > 0 {
		if err == nil {
			now = max(now, 1)
			l.speed = l.speed/2 + now/2
		} else {
			l.speed = min(l.speed, max(now, 1))
		}
	}
	speed := l.speed
	l.mu.Unlock()
	l.log.Debug("request ended", "server", l.route.candidate.Name, "connection", l.number, "sent", sent, "took", took, "err", err)
	l.request(Connection{
		Server: l.route.candidate.Name, Transport: l.route.path.Transport, Number: l.number, Speed: speed,
	}, sent, g.bytes, err != nil)
}

// left is what of the request under way the connection has not taken, and its
// speed in it; false where none is.
func (l *lane) left() (n int64, speed shoal.Rate, f *flight) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.busy == nil {
		return 0, 0, nil
	}
	sent, took := l.busy.body.sent.Load(), time.Since(l.busy.body.born)
	if took < time.Second {
		return 0, 0, nil // nothing can be said yet
	}
	return l.busy.grant.bytes - sent, shoal.Rate(float64(sent) / took.Seconds()), l.busy
}

// inFlight is what the connection has taken of the request under way.
func (l *lane) inFlight() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.busy == nil {
		return 0
	}
	return l.busy.body.sent.Load()
}
