package upload

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
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
	now := r.candidates
	if cs, err := r.opts.Candidates(ctx); err == nil && len(cs) > 0 {
		now = r.keepHome(cs)
	}
	fresh := findings{candidates: now}
	survey{r.prober, &fresh}.reach(ctx)
	r.remember(now, fresh.results)
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
