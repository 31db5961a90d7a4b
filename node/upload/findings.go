package upload

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/netprobe"
)

// findings is what is known of the ways to the candidates. It is not safe for
// concurrent use: it belongs to the goroutine of the upload.
type findings struct {
	here       shoal.Locality
	size       int64 // of the upload, in bytes
	candidates []Candidate
	results    []netprobe.Result

	// unclear are the paths that may be faster than measured, since others shared this
	// end's line, and carried is the most that the line is known to have carried to several servers
	// at once: it carries at least that. 0: that is not known.
	unclear map[netprobe.Path]bool
	carried shoal.Rate
	unraced bool // the nearest have not been measured against each other yet, and should be
}

// errSlow is why nothing is known of a path that did not end with the others.
var errSlow = fmt.Errorf("%w: slower than others", shoal.ErrUnavailable)

const (
	closeBehind = 0.5 // of the fastest of those that share a line: what falls behind that far is slower when alone, too
	// optimism is how many times as fast as the way that is used one may be of which
	// nothing is known.
	optimism = 4
)

// routes are the ways to the candidates that answer, the best first.
func (f *findings) routes() []route {
	return rank(f.here, f.candidates, f.results, f.size >= probeAbove)
}

// hope is how fast a path may be at best, where one that is used has a speed.
func (f *findings) hope(p netprobe.Path, speed shoal.Rate) shoal.Rate {
	i := f.index(p)
	switch {
	case i < 0 || f.results[i].Err != nil || f.results[i].Up.Err != nil:
		return 0
	case f.unmeasured(i):
		return optimism * speed
	case f.unclear[p]:
		return max(f.carried, f.results[i].Up.Goodput)
	}
	return f.results[i].Up.Goodput
}

func (f *findings) unmeasured(i int) bool { return f.results[i].Up.At.IsZero() }

func (f *findings) index(p netprobe.Path) int {
	return slices.IndexFunc(f.results, func(r netprobe.Result) bool { return r.Path == p })
}

// enter notes what a path carried alone.
func (f *findings) enter(p netprobe.Path, t netprobe.Transfer) {
	if i := f.index(p); i >= 0 {
		f.results[i].Up = t
		delete(f.unclear, p)
	}
}

// enterRace notes what paths carried at the same time. Nothing is known of those that did
// not end with the others.
func (f *findings) enterRace(paths []int, ups []netprobe.Transfer) {
	var fastest, carried shoal.Rate
	for k, i := range paths {
		if errors.Is(ups[k].Err, errSlow) {
			continue
		}
		f.results[i].Up = ups[k]
		carried += ups[k].Goodput
		fastest = max(fastest, ups[k].Goodput)
	}
	for k, i := range paths {
		if up := ups[k].Goodput; up > 0 && float64(up) >= closeBehind*float64(fastest) {
			f.unclear[f.results[i].Path] = true
		}
	}
	f.carried = max(f.carried, carried)
}

// enterBeside notes what a path to another server carried beside the transfer over one that had a
// speed before, and what of it was left meanwhile. Where the line had room, the path is known by that.
func (f *findings) enterBeside(p netprobe.Path, t netprobe.Transfer, before, meanwhile shoal.Rate) {
	f.enter(p, t)
	together := t.Goodput + meanwhile
	f.carried = max(f.carried, together)
	if full := float64(together) < 1.15*float64(before); full || float64(t.Goodput) >= closeBehind*float64(before) {
		f.unclear[p] = true
	}
}

const (
	knownTime = time.Hour // for which a measurement is believed, while the round trip is what it was
	knownRTT  = 20 * time.Millisecond
)

// recall enters speeds that are known from before, and reports whether that of
// the fastest path is among them.
func (f *findings) recall(now time.Time, known []Measured) bool {
	var fastest, recalled shoal.Rate
	for _, k := range known {
		if k.Up <= 0 || now.Sub(k.At) > knownTime {
			continue
		}
		fastest = max(fastest, k.Up)
		for i, r := range f.results {
			rtt := time.Duration(k.RTT * float64(time.Second))
			same := r.URL == k.URL && r.Transport == k.Transport && r.RTT.Min < 2*rtt+knownRTT && rtt < 2*r.RTT.Min+knownRTT
			if same && r.Err == nil {
				f.results[i].Up = netprobe.Transfer{At: k.At, Goodput: k.Up}
				recalled = max(recalled, k.Up)
			}
		}
	}
	if fastest > 0 && recalled == fastest {
		return true
	}
	for i := range f.results { // another network
		f.results[i].Up = netprobe.Transfer{}
	}
	return false
}

// remember replaces round trips by those found out now, and keeps the speeds.
func (f *findings) remember(candidates []Candidate, fresh []netprobe.Result) {
	for i, r := range fresh {
		if k := f.index(r.Path); k >= 0 && r.Up.At.IsZero() {
			fresh[i].Up = f.results[k].Up
		}
	}
	f.candidates, f.results = candidates, fresh
}

// byDistance are the candidates that answered, the nearest first. Of those about as near as
// the nearest it is the one with the widest downlink.
func (f *findings) byDistance() []Candidate {
	rtt := func(c Candidate) time.Duration {
		least := time.Duration(math.MaxInt64)
		for _, r := range resultsOf(c, f.results) {
			if r.Err == nil {
				least = min(least, r.RTT.Min)
			}
		}
		return least
	}
	answered := slices.DeleteFunc(slices.Clone(f.candidates), func(c Candidate) bool { return rtt(c) == math.MaxInt64 })
	slices.SortStableFunc(answered, func(a, b Candidate) int { return cmp.Compare(rtt(a), rtt(b)) })
	near := 0 // how many are about as near
	for near < len(answered) && rtt(answered[near])*8 <= rtt(answered[0])*10 {
		near++
	}
	slices.SortStableFunc(answered[:near], func(a, b Candidate) int { return cmp.Compare(b.Down, a.Down) })
	return answered
}

// paths are the indices of a candidate's paths that answer and are worth measuring,
// TCP first: where it gets through it is the faster one on nearly all of them.
func (f *findings) paths(c Candidate) []int {
	targets := c.targets()
	var is []int
	for i, r := range f.results {
		if slices.Contains(targets, r.Target) && r.Err == nil && !plainTwin(r, f.results) {
			is = append(is, i)
		}
	}
	order := []netprobe.Transport{netprobe.TCP, netprobe.QUIC}
	slices.SortStableFunc(is, func(a, b int) int {
		return cmp.Compare(slices.Index(order, f.results[a].Transport), slices.Index(order, f.results[b].Transport))
	})
	return is
}

// plainTwin reports whether r is plain HTTP to a node that answers over TLS too:
// the path is the same, and TLS proves who is there.
func plainTwin(r netprobe.Result, results []netprobe.Result) bool {
	if r.Node == "" || len(r.Target.Transports()) > 1 {
		return false
	}
	return slices.ContainsFunc(results, func(o netprobe.Result) bool {
		return o.Node == r.Node && o.Err == nil && len(o.Target.Transports()) > 1
	})
}

// lastAnswer is why the candidates cannot be reached.
func (f *findings) lastAnswer() error {
	for _, res := range f.results {
		if res.Err != nil {
			return res.Err
		}
	}
	return errors.New("none has a URL that can be used")
}
