package upload

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/netprobe"
)

// round sends to the best server that can be reached, and to the next one where
// that fails before it has anything, until one has everything. Its error is
// that of the first; it is unwilling only where all that can be reached refuse.
func (r *run) round(ctx context.Context) error {
	var first error
	var next *route // that a session was left for; nil: none
	for {
		rt, err := r.choose(time.Now(), first)
		if next != nil {
			rt, err, next = *next, nil, nil
		}
		if err != nil {
			ok := false
			if rt, ok = r.sibling(ctx); !ok {
				return cmp.Or(first, err)
			}
		}
		r.count(func(rep *Report) {
			rep.Server, rep.URL, rep.Transport, rep.Why = rt.candidate.Name, rt.path.URL, rt.path.Transport, rt.why
		})
		began := time.Now()
		st, err := r.send(ctx, rt)
		if err == nil {
			r.done(st)
			return nil
		}
		if ctx.Err() != nil || isFinal(err) {
			return err
		}
		r.log.Info("the upload is interrupted", "server", rt.candidate.Name, "err", err)
		faster, leaves := errors.AsType[better](err)
		if !leaves && r.lastMoved().Before(began) {
			// Perhaps the other transport gets through.
			r.enter(rt.path, netprobe.Transfer{At: time.Now(), Err: err})
		}
		_, refuses := errors.AsType[unwilling](err)
		_, unknown := errors.AsType[lost](err)
		if refuses || unknown {
			r.forget(rt)
		}
		switch {
		case leaves:
			next = &faster.to
			r.leave()
			r.count(func(rep *Report) { rep.Breaks++ })
			continue
		case r.known(rt): // what it holds is worth some waiting
			return err
		case unknown:
			return plain(err)
		case refuses:
			r.refused[rt.candidate.key()] = err
			continue
		}
		first = cmp.Or(first, err)
		r.failed[rt.path] = true
	}
}

const (
	maxSiblings = 8 // servers that are asked
	siblingTime = 3 * time.Second
)

// sibling is the way to another server that has what the one has that went away,
// as servers with one store do (L1): there is no reason to wait then.
func (r *run) sibling(ctx context.Context) (route, bool) {
	r.mu.Lock()
	latest, held := r.latest, r.homes[r.latest].held
	r.mu.Unlock()
	if held == 0 {
		return route{}, false
	}
	routes := slices.DeleteFunc(r.routes(), func(rt route) bool {
		return rt.candidate.key() == latest || r.failed[rt.path] || r.refused[rt.candidate.key()] != nil
	})
	for _, rt := range routes[:min(len(routes), maxSiblings)] {
		c, err := r.dialer.client(rt.path)
		if err != nil {
			continue
		}
		ask, stop := context.WithTimeout(ctx, siblingTime)
		st, err := c.status(ask, r.task, r.chunks())
		stop()
		c.close()
		if err == nil && r.size()-bytesOf(r.source.manifest, st.missing) >= held-held/10 {
			return rt, true
		}
	}
	return route{}, false
}

// choose is the best way that is left in this round, which begins without an
// error before.
func (r *run) choose(now time.Time, before error) (route, error) {
	if before == nil {
		clear(r.failed)
	}
	routes := r.ways(now)
	var refused error
	for _, rt := range routes {
		if err := r.refused[rt.candidate.key()]; err != nil {
			refused = cmp.Or(refused, err)
		} else if !r.failed[rt.path] {
			return rt, nil
		}
	}
	if refused != nil {
		return route{}, refused
	}
	return route{}, fmt.Errorf("%w: no ingest server answers: %w", shoal.ErrUnavailable, r.lastAnswer())
}

// plain takes the mark off an error that says that the server has to be asked anew.
func plain(err error) error {
	if l, ok := errors.AsType[lost](err); ok {
		return fmt.Errorf("%w: %w", shoal.ErrUnavailable, l.error)
	}
	return err
}

func (r *run) done(st status) {
	r.count(func(rep *Report) {
		if r.opts.Distribute != nil {
			rep.Distribution = r.task
		}
	})
	if st.Error != "" {
		r.log.Warn("the server has all of it", "server", st.Server, "and", st.Error)
	}
	r.note(func(p *Progress) { p.Done, p.Note, p.Speed = r.size(), "uploaded", 0 })
}
