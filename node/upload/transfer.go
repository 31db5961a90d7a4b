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
	tickTime  = 250 * time.Millisecond
	growEvery = 3 * time.Second // between looks whether one more connection brings more
	healTime  = 5 * time.Second // after a connection was lost, until another takes its place
)

// transfer is a session while its connections run. Its fields belong to the goroutine
// that does.
type transfer struct {
	*session
	ctx     context.Context
	wg      sync.WaitGroup // of connections and looks
	ended   chan error     // of connections
	seen    chan sight
	raced   chan raced
	running int // connections
	first   int // turns at the beginning
	lanes   int // connections at the beginning
	turns   int // requests that may be on their way

	began   time.Time
	idle    time.Duration // for which the gate was shut
	looking bool
	growth  *growth
	speed   speedometer
	lost    time.Time // when a connection ended last
	checked time.Time // this machine's addresses
}

// transfer runs the connections until nothing is missing. It fails when none is
// left, with the error of the last, and where another way is better.
func (s *session) transfer(ctx context.Context) error {
	queued, open, _ := s.work.state()
	if open == 0 {
		return nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	t := &transfer{session: s, ctx: ctx, ended: make(chan error), seen: make(chan sight), raced: make(chan raced), began: time.Now()}
	defer t.wg.Wait()
	defer s.gate.release()
	defer cancel(nil) // first
	first, most := connections(s.route.path.Transport, s.route.rtt, s.dialer.bbr())
	s.turns = make(chan struct{}, most)
	t.first, t.growth = first, newGrowth(0, most)
	t.lanes = min(lanesPerTurn*first, max(1, int(queued/minRequest)))
	for range t.lanes {
		t.add()
	}
	for range first {
		t.turn()
	}
	if t.running == 0 {
		return fmt.Errorf("connect: %w", shoal.ErrUnavailable)
	}
	return t.loop()
}

func (t *transfer) loop() error {
	tick := time.NewTicker(tickTime)
	defer tick.Stop()
	t.race()
	for {
		select {
		case <-t.ctx.Done():
			return context.Cause(t.ctx)
		case err := <-t.ended:
			if done, err := t.laneEnded(err); done {
				return err
			}
		case seen := <-t.seen:
			t.looking = false
			if !seen.beside {
				t.idle += seen.took
			}
			if err := t.consider(seen, pace{speed: t.speed.best(), usual: t.speed.usual(), left: t.left()}); err != nil {
				return err
			}
		case seen := <-t.raced:
			if err := t.considerRace(seen); err != nil {
				return err
			}
		case now := <-tick.C:
			t.tick(now)
		}
	}
}

// add opens one more connection.
func (t *transfer) add() {
	l, err := t.addLane(t.first)
	if err != nil {
		return
	}
	t.running++
	t.wg.Go(func() {
		err := l.run(t.ctx)
		select {
		case t.ended <- err:
		case <-t.ctx.Done():
		}
	})
}

// turn lets one more request be on its way.
func (t *transfer) turn() {
	t.turns++
	t.session.turns <- struct{}{}
}

// left is how many bytes nobody is sending yet.
func (t *transfer) left() int64 {
	queued, _, _ := t.work.state()
	return queued
}

// laneEnded is told why a connection ended, and whether that is the transfer's end.
func (t *transfer) laneEnded(err error) (bool, error) {
	t.running--
	t.lost = time.Now()
	if err != nil && (isFinal(err) || t.running == 0 || isAny(err)) {
		return true, err
	}
	_, open, _ := t.work.state()
	return open == 0, nil
}

// tick looks how it goes: for people, for more connections, for a better way.
func (t *transfer) tick(now time.Time) {
	if now.Sub(t.checked) >= addrsEvery {
		t.checked = now
		t.checkAddrs()
	}
	if t.looking {
		return
	}
	active, sent := now.Sub(t.began)-t.idle, t.sentSoFar()
	t.speed.add(active, sent)
	t.note(func(p *Progress) { p.Note, p.Speed = t.sending(t.running), t.speed.smooth() })
	left := t.left()
	switch {
	case left == 0:
		return
	case t.growth.more(active, sent, t.turns):
		t.turn()
		t.add()
	case t.running < t.lanes && now.Sub(t.lost) > healTime:
		t.add()
	}
	speed := t.speed.best()
	at := pace{
		active: active, speed: speed, usual: t.speed.usual(), left: left, route: t.route,
		full: t.carried > 0 && clearly*float64(speed) >= float64(t.carried),
	}
	if p, ok := t.doubts.next(now, at, t.prospects(at)); ok {
		t.looking = true
		t.wg.Go(func() {
			select {
			case t.seen <- t.look(t.ctx, p):
			case <-t.ctx.Done():
			}
		})
	}
}

// isAny reports whether what one connection met all others will meet.
func isAny(err error) bool {
	_, refused := errors.AsType[unwilling](err)
	_, gone := errors.AsType[lost](err)
	return refused || gone
}

func (s *session) sending(connections int) string {
	return fmt.Sprintf("to %s over %s, %d connections", s.route.candidate.Name, s.route.path.Transport, connections)
}
