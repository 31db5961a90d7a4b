package netprobe

import (
	"context"
	"fmt"
	"time"

	"github.com/shoal-cdn/shoal"
)

// mostTime is how long a transfer may last: as long again as its time, while
// what stands in buffers is on its way.
func (s Step) mostTime() time.Duration { return 2 * s.Time }

// step does one step and enters what it found into r.
func (s *session) step(ctx context.Context, step Step, block []byte, r *Result) error {
	var err error
	switch step.Op {
	case Ping:
		r.RTT, _, err = s.ping(ctx, step.Requests)
	case Download:
		r.Down, err = s.download(ctx, step)
	case Upload:
		r.Up, err = s.upload(ctx, step, block)
	default:
		err = fmt.Errorf("step %d: %w", step.Op, shoal.ErrInvalid)
	}
	return err
}

// ping times n requests for no bytes one after the other and returns what the
// other end had sent before the last.
func (s *session) ping(ctx context.Context, n int) (RTT, Loss, error) {
	var samples []time.Duration
	var sent Loss
	for range n {
		ctx, cancel := context.WithTimeout(ctx, connectTime)
		start := time.Now()
		var err error
		sent, err = s.get(ctx, 0, 0, &meter{})
		took := time.Since(start)
		cancel()
		if err != nil {
			return RTT{}, Loss{}, unavailable("request", connectTime, err)
		}
		samples = append(samples, took)
	}
	return rttOf(samples), sent, nil
}

// download measures from the gateway. Where its end does not come in time, what
// came counts: a slow path is known by it.
func (s *session) download(ctx context.Context, step Step) (Transfer, error) {
	// The first answer over plain TCP finds that nothing was sent before it,
	// which is as good as unknown.
	_, before, err := s.ping(ctx, 2)
	if err != nil {
		return Transfer{}, err
	}
	var m meter
	timed, cancel := context.WithTimeout(ctx, step.mostTime())
	defer cancel()
	_, err = s.get(timed, step.Bytes, step.Time, &m)
	cut := timed.Err() != nil && ctx.Err() == nil && m.last.bytes > 0
	switch {
	case err != nil && !cut:
		return Transfer{}, unavailable("download", step.mostTime(), err)
	case m.last.bytes == 0:
		return Transfer{}, fmt.Errorf("download: %w: nothing came", shoal.ErrCorrupt)
	}
	t := m.transfer(step.Time)
	if !cut { // a connection with half a body on it is of no use
		_, after, _ := s.ping(ctx, 1) // without an answer loss is unknown
		t.Loss = after.since(before)
	}
	return t, nil
}

// upload measures to the gateway, by how fast the connection takes the bytes.
// The answer shows that they arrived.
func (s *session) upload(ctx context.Context, step Step, block []byte) (Transfer, error) {
	if _, _, err := s.ping(ctx, 1); err != nil {
		return Transfer{}, err
	}
	before := s.own.sent()
	timed, cancel := context.WithTimeout(ctx, step.mostTime())
	defer cancel()
	body := newFiller(block, step.Bytes, step.Time)
	if err := s.post(timed, body); err != nil {
		return Transfer{}, unavailable("upload", step.mostTime(), err)
	}
	m, _ := body.taken()
	t := m.transfer(step.Time)
	t.Loss = s.own.sent().since(before)
	return t, nil
}

func (m *meter) transfer(until time.Duration) Transfer {
	return Transfer{At: time.Now(), Goodput: m.goodput(until), Bytes: m.last.bytes, Time: m.last.at}
}
