package supply

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/fallback"
	"github.com/shoal-cdn/shoal/tracker/api"
)

const (
	// coolWait is how long an upstream may cool down with leases of ours.
	coolWait = 2 * time.Second
	// firstPause is how long it is not asked for after that, doubled each time;
	// after maxPauses it is taken for broken.
	firstPause = 3 * time.Second
	maxPauses  = 3
	// hopelessAfter is how long no peer may be of use, while every upstream is
	// broken, before the fetch fails.
	hopelessAfter = 20 * time.Second
	maxExcluded   = 16
	maxReason     = 200 // bytes
)

// trouble is what is known of upstreams that failed.
type trouble struct {
	broken  map[string]string // name → why
	pauses  map[string]pause
	refused api.Refusal // the tracker's last; "" since it granted something
}

type pause struct {
	until time.Time
	count int
	why   string
}

func newTrouble() trouble {
	return trouble{broken: make(map[string]string), pauses: make(map[string]pause)}
}

// pause keeps an upstream out of use for a while, or for good where it has
// failed too often.
func (t *trouble) pause(now time.Time, name, why string) {
	p := t.pauses[name]
	p.count++
	p.why = why
	if p.count >= maxPauses {
		t.bench(name, why)
		return
	}
	p.until = now.Add(firstPause << (p.count - 1))
	t.pauses[name] = p
}

func (t *trouble) bench(name, why string) {
	delete(t.pauses, name)
	t.broken[name] = why
}

// worked forgets an upstream's failures.
func (t *trouble) worked(name string) { delete(t.pauses, name) }

// excluded are the upstreams that must not be leased to us now.
func (t *trouble) excluded(now time.Time) (out []api.Benched) {
	for _, name := range slices.Sorted(maps.Keys(t.broken)) {
		out = append(out, api.Benched{Upstream: name, Reason: t.broken[name]})
	}
	for _, name := range slices.Sorted(maps.Keys(t.pauses)) {
		if p := t.pauses[name]; now.Before(p.until) {
			out = append(out, api.Benched{Upstream: name, Reason: p.why})
		}
	}
	for i := range out {
		out[i].Reason = out[i].Reason[:min(len(out[i].Reason), maxReason)]
	}
	return out[:min(len(out), maxExcluded)]
}

// hopeless is the error for when nothing is left to try: no peer has been of
// use for a while, nothing is leased, and the tracker knows no other upstream.
func (t *trouble) hopeless(alone, leased bool) error {
	if !alone || leased || len(t.broken) == 0 || len(t.pauses) > 0 || t.refused != api.NoUpstream {
		return nil
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(t.broken)) {
		errs = append(errs, fmt.Errorf("%s: %s", name, t.broken[name]))
	}
	return fmt.Errorf("%w: no peer has it, and no upstream is of use: %w", shoal.ErrUnavailable, errors.Join(errs...))
}

// heed acts on what the workers' upstreams did.
func (s *Supply) heed(now time.Time) {
	for _, w := range s.workers {
		for _, u := range w.fetcher.Stats().Upstreams {
			switch {
			case u.State == fallback.Benched:
				s.trouble.bench(w.name, u.Reason)
				s.dismiss(w, now)
			case u.State == fallback.Cooling && w.idle.IsZero() && now.Sub(u.Since) >= coolWait:
				s.trouble.pause(now, w.name, u.Reason)
				s.dismiss(w, now)
			case u.State == fallback.Active && u.Goodput > 0 && u.Reason == "":
				s.trouble.worked(w.name)
			}
		}
	}
}

// lost takes in that a fetcher has given up.
func (s *Supply) lost(now time.Time, e ended) {
	if s.workers[e.worker.name] != e.worker {
		return
	}
	if e.err != nil {
		s.trouble.pause(now, e.worker.name, e.err.Error())
	}
	s.dismiss(e.worker, now)
}

// dismiss ends a worker and its loans.
func (s *Supply) dismiss(w *worker, now time.Time) {
	for _, l := range slices.Clone(s.loans) {
		if l.worker == w {
			s.end(l, now)
		}
	}
	w.cancel()
	delete(s.workers, w.name)
}
