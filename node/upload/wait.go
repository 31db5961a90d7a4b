package upload

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/netprobe"
)

const (
	minPause = 250 * time.Millisecond
	maxPause = 15 * time.Second
)

// backoff is how long to wait between attempts: twice as long each time, but
// from the beginning after some progress.
type backoff struct {
	pause time.Duration
	at    time.Time // of the latest attempt that failed
}

// next is the pause after an attempt that failed now; moved is when there was
// progress last.
func (b *backoff) next(now, moved time.Time) time.Duration {
	if moved.After(b.at) {
		b.pause = minPause
	}
	b.at = now
	d := max(b.pause, minPause)
	b.pause = min(2*d, maxPause)
	// Clients that lost one server must not all come back at one time.
	return d*3/4 + rand.N(d/2)
}

// wait passes the time until the next attempt, and finds out who can be reached
// then: another network may be there, or another server.
func (r *run) wait(ctx context.Context, d time.Duration, why error) error {
	r.note(func(p *Progress) {
		p.Note, p.Speed = fmt.Sprintf("waiting, trying again in %s: %v", max(d.Round(time.Second), time.Second), why), 0
	})
	if err := pause(ctx, d); err != nil {
		return err
	}
	if cs, err := r.opts.Candidates(ctx); err == nil && len(cs) > 0 {
		r.candidates = r.keepHome(cs)
	}
	var targets []netprobe.Target
	for _, c := range r.candidates {
		targets = append(targets, c.targets()...)
	}
	fresh := r.prober.measure(ctx, netprobe.Plan(targets, netprobe.Budget{Requests: 1}))
	r.results = remember(r.results, fresh)
	return nil
}

// keepHome adds to a new list of candidates the one that holds a part of the
// upload: it may be up before the tracker knows.
func (r *run) keepHome(cs []Candidate) []Candidate {
	r.mu.Lock()
	defer r.mu.Unlock()
	isHome := func(c Candidate) bool { return c.key() == r.latest }
	i := slices.IndexFunc(r.candidates, isHome)
	if i < 0 || slices.ContainsFunc(cs, isHome) {
		return cs
	}
	return append(slices.Clip(cs), r.candidates[i])
}

// remember adds to what was found out now the speeds that were measured before.
func remember(old, fresh []netprobe.Result) []netprobe.Result {
	for i, f := range fresh {
		for _, o := range old {
			if o.Path == f.Path && f.Up.At.IsZero() {
				fresh[i].Up = o.Up
			}
		}
	}
	return fresh
}

// lastAnswer is why the candidates cannot be reached.
func (r *run) lastAnswer() error {
	for _, res := range r.results {
		if res.Err != nil {
			return res.Err
		}
	}
	return errors.New("none has a URL that can be used")
}

// better is the error of a session that is given up for a faster server.
type better struct{ error }

func (e better) Unwrap() error { return e.error }

// doubt looks whether another server has become so much faster than this one
// that beginning there again pays. It believes only what it measures now.
func (s *session) doubt(ctx context.Context, speed shoal.Rate) error {
	queued, _, _ := s.work.state()
	var other *route
	for _, rt := range rank(s.opts.Here, s.candidates, s.results) {
		if rt.candidate.key() != s.route.candidate.key() && worthSwitching(queued, speed, s.size(), rt.up) {
			other = &rt
			break
		}
	}
	if other == nil {
		return nil
	}
	step := netprobe.Step{Path: other.path, Op: netprobe.Upload, Bytes: maxStepBytes / 4, Time: maxStepTime}
	now := s.prober.measure(ctx, []netprobe.Step{step})[0].Up
	s.enter(other.path, now)
	if now.Err != nil || !worthSwitching(queued, speed, s.size(), now.Goodput) {
		return nil
	}
	s.enter(s.route.path, netprobe.Transfer{At: time.Now(), Goodput: cmp.Or(speed, 1)})
	return better{fmt.Errorf("%w: %s takes %s/s now, %s %s/s", shoal.ErrUnavailable,
		s.route.candidate.Name, shoal.Size(speed).Short(), other.candidate.Name, shoal.Size(now.Goodput).Short())}
}

// enter corrects what is known of a path's speed. It is called by the goroutine
// of the upload only, as is all that reads r.results.
func (r *run) enter(p netprobe.Path, t netprobe.Transfer) {
	i := slices.IndexFunc(r.results, func(res netprobe.Result) bool { return res.Path == p })
	if i >= 0 {
		r.results[i].Up = t
	}
}
