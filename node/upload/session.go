package upload

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/ingest/api"
)

const (
	tickTime   = time.Second
	growEvery  = 3 * time.Second  // between looks whether one more connection brings more
	doubtEvery = 20 * time.Second // between looks whether another server would be faster
	maxRounds  = 5                // of sending what the end notice found missing
	healTime   = 5 * time.Second  // after a connection was lost, until another takes its place
)

// final is an error after which no server and no waiting helps.
type final struct{ error }

func (e final) Unwrap() error { return e.error }

// isFinal reports whether an upload ends with err.
func isFinal(err error) bool {
	_, ok := errors.AsType[final](err)
	return ok || errors.Is(err, shoal.ErrChanged)
}

// session is the sending to one server over one transport, from the moment that
// it says what it lacks until it has all or no connection is left.
type session struct {
	*run
	route   route
	control *client
	work    *work
	turns   chan struct{} // one for each request whose body may be on its way

	mu       sync.Mutex // guards the fields below
	lanes    []*lane
	spare    []*client   // for further lanes
	refusals map[int]int // by chunk
}

// send brings the server all that it lacks, and completes the upload.
func (r *run) send(ctx context.Context, rt route) (status, error) {
	c, err := r.dialer.client(rt.path)
	if err != nil {
		return status{}, err
	}
	defer c.close()
	warm, cool := r.warm(ctx, rt)
	defer cool()
	st, err := r.open(ctx, c, rt)
	if err != nil {
		return st, err
	}
	for round := 0; ; round++ {
		s := &session{run: r, route: rt, control: c, spare: warm, refusals: map[int]int{}, work: newWork(st.missing, r.source.manifest.PieceSize)}
		warm = nil
		if err := s.transfer(ctx); err != nil {
			return st, err
		}
		if err := r.source.unchanged(); err != nil {
			return st, err
		}
		r.note(func(p *Progress) { p.Note, p.Speed = "verifying on "+rt.candidate.Name, 0 })
		st, err = c.complete(ctx, r.task, r.chunks())
		p, ok := errors.AsType[*api.Problem](err)
		if !ok || len(p.Missing) == 0 || round == maxRounds {
			return st, afterEnd(st, err)
		}
		missing, ok := checkMissing(spansOf(p.Missing), r.chunks())
		if !ok {
			return st, fmt.Errorf("complete: %w: %w", shoal.ErrCorrupt, err)
		}
		st.missing = missing
		r.log.Info("the server misses chunks at the end", "server", rt.candidate.Name, "chunks", len(missing))
		r.holds(rt, r.size()-bytesOf(r.source.manifest, missing))
	}
}

// warm opens the connections that a large upload begins with, beside the one by which the
// server is asked what it has. What goes wrong with them shows when they are used. After cool
// they may be used no more.
func (r *run) warm(ctx context.Context, rt route) (clients []*client, cool func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	first, _ := connections(rt.path.Transport, rt.rtt, r.dialer.bbr())
	for range lanesPerTurn * first {
		c, err := r.dialer.client(rt.path)
		if err != nil || r.size() < raceAbove {
			break
		}
		clients = append(clients, c)
		wg.Go(func() { _, _ = c.status(ctx, r.task, r.chunks()) })
	}
	return slices.Clone(clients), func() {
		cancel()
		wg.Wait()
		for _, c := range clients {
			c.close()
		}
	}
}

// afterEnd is what the answer to the end notice means.
func afterEnd(st status, err error) error {
	switch {
	case err != nil:
		if errors.Is(err, shoal.ErrNotFound) {
			return lost{err}
		}
		return err
	case st.State == api.Failed:
		return unwilling{fmt.Errorf("%s: %w: %s", st.Server, shoal.ErrConflict, st.Error)}
	}
	return nil
}

// describeAbove is how many bytes a .torrent file may have to be sent without
// asking first whether the server knows the upload.
const describeAbove = 256 << 10

// open begins or resumes the upload on the server.
func (r *run) open(ctx context.Context, c *client, rt route) (st status, err error) {
	r.note(func(p *Progress) { p.Note, p.Speed = "asking "+rt.candidate.Name+" what it has", 0 })
	ask := r.known(rt) || len(r.description.Torrent) > describeAbove
	if ask {
		st, err = c.status(ctx, r.task, r.chunks())
	}
	if !ask || errors.Is(err, shoal.ErrNotFound) {
		st, err = c.describe(ctx, r.description)
	}
	switch {
	case err != nil:
		return st, err
	case st.State == api.Failed:
		return st, unwilling{fmt.Errorf("%s: %w: %s", rt.candidate.Name, shoal.ErrConflict, st.Error)}
	}
	r.holds(rt, r.size()-bytesOf(r.source.manifest, st.missing))
	r.log.Info("sending", "server", cmp.Or(rt.candidate.Name, st.Server), "url", rt.path.URL, "transport", rt.path.Transport,
		"why", rt.why, "speed", rt.up, "has", st.Received, "of", st.Size)
	return st, nil
}

// transfer runs the connections until nothing is missing. It fails when none is
// left, with the error of the last.
func (s *session) transfer(ctx context.Context) error {
	if _, open, _ := s.work.state(); open == 0 {
		return nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel(nil) // first
	ended := make(chan error)
	running := 0
	first, most := connections(s.route.path.Transport, s.route.rtt, s.dialer.bbr())
	s.turns = make(chan struct{}, most)
	add := func() {
		l, err := s.addLane(first)
		if err != nil {
			return
		}
		running++
		wg.Go(func() {
			err := l.run(ctx)
			select {
			case ended <- err:
			case <-ctx.Done():
			}
		})
	}
	queued, _, _ := s.work.state()
	lanes := min(lanesPerTurn*first, max(1, int(queued/minRequest)))
	for range lanes {
		add()
	}
	turns := first
	for range turns {
		s.turns <- struct{}{}
	}
	if running == 0 {
		return fmt.Errorf("connect: %w", shoal.ErrUnavailable)
	}
	g := newGrowth(time.Now(), most)
	var speed shoal.Rate
	sent, at := s.sentSoFar(), time.Now()
	tick := time.NewTicker(tickTime)
	defer tick.Stop()
	var lostOne time.Time
	for doubt := time.Now(); ; {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case err := <-ended:
			running--
			lostOne = time.Now()
			if err != nil && (isFinal(err) || running == 0 || isAny(err)) {
				return err
			}
			if _, open, _ := s.work.state(); open == 0 {
				return nil
			}
		case now := <-tick.C:
			before, since := sent, now.Sub(at)
			sent, at = s.sentSoFar(), now
			if since > tickTime/2 {
				speed = speed/2 + shoal.Rate(float64(max(0, sent-before))/since.Seconds())/2
			}
			s.note(func(p *Progress) { p.Note, p.Speed = s.sending(running), speed })
			switch queued, _, _ := s.work.state(); {
			case queued == 0:
			case g.more(now, sent, turns):
				turns++
				s.turns <- struct{}{}
				add()
			case running < lanes && now.Sub(lostOne) > healTime:
				add()
			}
			if now.Sub(doubt) > doubtEvery {
				doubt = now
				if err := s.doubt(ctx, speed); err != nil {
					return err
				}
			}
		}
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

// addLane opens one more connection. Its first guess at its speed is its share of
// what the path was measured to carry.
func (s *session) addLane(first int) (*lane, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var c *client
	if n := len(s.spare); n > 0 {
		c, s.spare = s.spare[n-1], s.spare[:n-1]
	} else {
		var err error
		if c, err = s.dialer.client(s.route.path); err != nil {
			return nil, err
		}
	}
	l := &lane{session: s, number: len(s.lanes), client: c, speed: max(s.route.up, 1<<20) / shoal.Rate(first)}
	s.lanes = append(s.lanes, l)
	return l, nil
}

// speeds are that of one connection and those of all.
func (s *session) speeds(of *lane) (own shoal.Rate, all []shoal.Rate) {
	s.mu.Lock()
	lanes := slices.Clone(s.lanes)
	s.mu.Unlock()
	for _, l := range lanes {
		v := l.currentSpeed()
		if v > 0 { // else it has ended
			all = append(all, v)
		}
		if l == of {
			own = v
		}
	}
	return own, all
}

// sentSoFar is what all connections have taken, of this session and those before.
func (s *session) sentSoFar() int64 {
	s.mu.Lock()
	lanes := slices.Clone(s.lanes)
	s.mu.Unlock()
	var n int64
	s.count(func(r *Report) { n = r.Sent })
	for _, l := range lanes {
		n += l.inFlight()
	}
	return n
}

// relieve ends the request of the connection that would need longest for the rest
// of it, where the idle one is so much faster that this pays.
func (s *session) relieve(idle *lane) {
	s.mu.Lock()
	lanes := slices.Clone(s.lanes)
	s.mu.Unlock()
	var slowest *flight
	var longest float64
	for _, l := range lanes {
		left, speed, f := l.left()
		if f == nil || l == idle || !shouldSteal(left, speed, idle.currentSpeed(), s.route.rtt) {
			continue
		}
		if t := float64(left) / max(1, float64(speed)); t > longest {
			slowest, longest = f, t
		}
	}
	if slowest != nil {
		slowest.cancel(errStolen)
	}
}

// refused counts chunks that the server found damaged.
func (s *session) refused(chunks []span, err error) error {
	s.count(func(r *Report) {
		for _, c := range chunks {
			r.Refused += c.count
		}
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range chunks {
		for k := c.first; k < c.end(); k++ {
			if s.refusals[k]++; s.refusals[k] >= maxRefusals {
				return final{fmt.Errorf("chunk %d was damaged on the way %d times: %w", k, maxRefusals, err)}
			}
		}
	}
	return err
}
