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
	// coolWait is how long an upstream may cool down with leases of ours: longer
	// than a busy gateway asks us to wait. One that was paused and has not worked
	// since is paused again at once: a fetch without any other is to end within 30 s.
	coolWait = 4 * time.Second
	// firstPause is how long it is not asked for after that, doubled each time up
	// to mostPause: longer than the tracker keeps the pieces of a lease that came
	// to nothing from being leased again, else it would be the same upstream's
	// turn. After manyPauses it counts as no use until it works again.
	firstPause = 6 * time.Second
	mostPause  = time.Minute
	manyPauses = 2
	// hopelessAfter is how long no peer may be of use, while every upstream is
	// broken, before the fetch fails.
	hopelessAfter = 20 * time.Second
	// lostAfter is how long neither a peer nor an upstream may be of use before the
	// fetch fails although one that has failed before is being tried again: some take long
	// to show that they are as slow as ever.
	lostAfter = 25 * time.Second
	// worksAt is the rate from which on an upstream works, in bytes/s: some send
	// a byte now and then.
	worksAt     = 8 << 10
	maxExcluded = 16
	maxReason   = 200 // bytes
)

// trouble is what is known of upstreams that failed.
type trouble struct {
	broken  map[string]string // name → why, for good
	pauses  map[string]pause
	refused api.Refusal // the tracker's last; "" since it granted something or did not answer
	silent  since       // when no upstream has worked
}

type pause struct {
	until time.Time
	count int
	why   string
}

func newTrouble() trouble {
	return trouble{broken: make(map[string]string), pauses: make(map[string]pause)}
}

// pause keeps an upstream out of use for a while.
func (t *trouble) pause(now time.Time, name, why string) {
	p := t.pauses[name]
	p.until = now.Add(min(firstPause<<min(p.count, 10), mostPause))
	p.count++
	p.why = why
	t.pauses[name] = p
}

func (t *trouble) bench(name, why string) {
	delete(t.pauses, name)
	t.broken[name] = why
}

// worked forgets an upstream's failures.
func (t *trouble) worked(name string) { delete(t.pauses, name) }

// attempts is how many have failed in a row.
func (t *trouble) attempts(name string) int { return t.pauses[name].count }

// useless says why an upstream is no use.
func (t *trouble) useless(name string) (why string, ok bool) {
	if why, ok := t.broken[name]; ok {
		return why, true
	}
	p := t.pauses[name]
	return p.why, p.count >= manyPauses
}

// failed reports whether an upstream has failed since it last worked.
func (t *trouble) failed(name string) bool {
	_, broken := t.broken[name]
	return broken || t.pauses[name].count > 0
}

// usable reports whether an upstream may be read now.
func (t *trouble) usable(name string, now time.Time) bool {
	_, broken := t.broken[name]
	return !broken && !now.Before(t.pauses[name].until)
}

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
// use for a while, nothing is leased, the tracker knows no other upstream, and
// the content has web seeds, none of which is any use. Without web seeds it is a
// peer that is waited for. After so long that all is lost, it is enough that each has
// failed since it last worked.
func (t *trouble) hopeless(webSeeds []string, alone, leased, lost bool) error {
	if !alone || len(webSeeds) == 0 || !lost && (leased || t.refused != api.NoUpstream) {
		return nil
	}
	var errs []error
	for _, name := range webSeeds {
		why, ok := t.useless(name)
		if !ok && !(lost && t.failed(name)) {
			return nil
		}
		errs = append(errs, fmt.Errorf("%s: %s", label(name), why))
	}
	return fmt.Errorf("%w: no peer has it, and no upstream is of use: %w", shoal.ErrUnavailable, errors.Join(errs...))
}

// lost reports whether nothing has been of use for so long that what has failed before
// need not be tried to its end; an upstream that has not is.
func (s *Supply) lost(now time.Time) bool {
	return s.policy.alone.lasts(now, lostAfter) && s.trouble.silent.lasts(now, lostAfter) &&
		!slices.ContainsFunc(s.loans, func(l *loan) bool { return !s.trouble.failed(l.worker.name) })
}

// heed acts on upstreams that cool down, or work again.
func (s *Supply) heed(now time.Time, held *shoal.PieceSet) {
	works := false
	defer func() { s.trouble.silent.set(now, !works) }()
	for _, w := range s.workers {
		for _, u := range w.fetcher.Stats().Upstreams {
			works = works || u.State == fallback.Active && u.Goodput >= worksAt
			switch {
			case u.State == fallback.Cooling && w.idle.IsZero() && (now.Sub(u.Since) >= coolWait || s.trouble.attempts(w.name) > 0):
				s.trouble.pause(now, w.name, u.Reason)
				s.dismiss(w, now, held)
			case u.State == fallback.Active && u.Goodput >= worksAt && u.Since.IsZero():
				s.trouble.worked(w.name)
			}
		}
	}
}

// gaveUp takes in that a fetcher has given up.
func (s *Supply) gaveUp(now time.Time, e ended) {
	if s.workers[e.worker.name] != e.worker {
		return
	}
	for _, u := range e.worker.fetcher.Stats().Upstreams {
		s.faults.observe(u)
		if u.State == fallback.Benched {
			s.trouble.bench(u.Name, u.Reason)
		} else if e.err != nil {
			s.trouble.pause(now, u.Name, e.err.Error())
		}
	}
	s.dismiss(e.worker, now, s.cfg.Held())
}

// dismiss ends a worker and its loans.
func (s *Supply) dismiss(w *worker, now time.Time, held *shoal.PieceSet) {
	for _, l := range slices.Clone(s.loans) {
		if l.worker == w {
			s.end(l, now, held)
		}
	}
	w.cancel()
	delete(s.workers, w.name)
}
