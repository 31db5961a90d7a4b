package upload

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/netprobe"
)

// better is the error of a session that is given up for a faster way.
type better struct {
	error
	to route
}

func (e better) Unwrap() error { return e.error }

// sight is what a look has shown.
type sight struct {
	prospect
	up        netprobe.Transfer
	took      time.Duration
	meanwhile shoal.Rate // at which the transfer went on
}

// prospects are the other ways that may be looked at: the best to each server but this one, and the
// other transport to this one. Of which nothing is known is looked at beside the transfer.
func (s *session) prospects(at pace) []prospect {
	var all []prospect
	for _, rt := range s.routes() {
		if k := rt.candidate.key(); k != s.route.candidate.key() && s.run.refused[k] == nil {
			all = append(all, prospect{
				route: rt, hope: s.hope(rt.path, at.speed), lacks: s.lacks(rt), beside: s.unmeasured(s.index(rt.path)),
			})
		}
	}
	for _, i := range s.paths(s.route.candidate) {
		if p := s.results[i].Path; p.Transport != s.route.path.Transport {
			rt := route{candidate: s.route.candidate, path: p, rtt: s.results[i].RTT.Min}
			all = append(all, prospect{route: rt, hope: s.hope(p, at.speed), lacks: at.left, beside: true, same: true})
		}
	}
	return all
}

// look measures a way, and asks its server what of the upload it has.
func (s *session) look(ctx context.Context, p prospect) sight {
	seen := sight{prospect: p}
	began, before := time.Now(), s.sentSoFar()
	var wg sync.WaitGroup
	if !p.same {
		wg.Go(func() { seen.lacks = s.askWhatLacks(ctx, p) })
	}
	if !p.beside {
		s.gate.hold()
	}
	step := netprobe.Step{Path: p.route.path, Op: netprobe.Upload, Bytes: maxStepBytes, Time: p.time()}
	seen.up = s.prober.measure(ctx, []netprobe.Step{step})[0].Up
	s.gate.release()
	seen.took = time.Since(began)
	seen.meanwhile = rateBetween(point{0, before}, point{seen.took, s.sentSoFar()})
	wg.Wait()
	return seen
}

// askWhatLacks is what a server lacks: one that shares its store with the present one has the same.
func (s *session) askWhatLacks(ctx context.Context, p prospect) int64 {
	c, err := s.dialer.client(p.route.path)
	if err != nil {
		return p.lacks
	}
	defer c.close()
	ctx, stop := context.WithTimeout(ctx, siblingTime)
	defer stop()
	st, err := c.status(ctx, s.task, s.chunks())
	switch {
	case errors.Is(err, shoal.ErrNotFound):
		return s.size()
	case err != nil:
		return p.lacks
	}
	return bytesOf(s.source.manifest, st.missing)
}

// consider enters what a look has shown, and says whether to leave for it.
func (s *session) consider(seen sight, at pace) error {
	here := at.beside(seen.prospect)
	s.log.Info("looked", "server", seen.route.candidate.Name, "url", seen.route.path.URL, "transport", seen.route.path.Transport,
		"up", seen.up.Goodput.Short(), "lacks", seen.lacks, "err", seen.up.Err, "present", here.Short(), "left", at.left)
	if seen.up.Err != nil {
		s.enter(seen.route.path, seen.up) // it is not looked at again
		return nil
	}
	if seen.beside && !seen.same {
		s.enterBeside(seen.route.path, seen.up, at.speed, seen.meanwhile)
	} else {
		s.enter(seen.route.path, seen.up)
	}
	s.enter(s.route.path, netprobe.Transfer{At: time.Now(), Goodput: max(here, 1)})
	s.publish()
	if seen.same {
		if float64(seen.up.Goodput+seen.meanwhile) < clearly*float64(here) {
			return nil // it only took from what was there
		}
		seen.lacks = at.left
	}
	to := seen.route
	to.up, to.why = seen.up.Goodput, "it ends sooner than the server before"
	ahead := seen.beside && !seen.same && s.outruns(to, seen.meanwhile, at.left, seen.lacks)
	if !ahead && !worthMoving(at.left, here, seen.lacks, seen.up.Goodput) {
		return nil
	}
	return better{fmt.Errorf("%w: %s over %s takes %s/s, %s over %s %s/s", shoal.ErrUnavailable,
		s.route.candidate.Name, s.route.path.Transport, shoal.Size(here).Short(),
		seen.route.candidate.Name, seen.route.path.Transport, shoal.Size(seen.up.Goodput).Short()), to}
}
