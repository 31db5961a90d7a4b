package upload

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/netprobe"
)

// Candidate is an ingest server that an upload may go to.
type Candidate struct {
	Name     string         // for people
	Node     shoal.NodeID   // proves itself by its certificate; "" for a server that is known by its name
	URLs     []string       // base URLs, http or https
	Locality shoal.Locality // where it is
	Down     shoal.Rate     // its downlink by its own word; 0: unknown
}

// targets are the candidate's addresses as netprobe has them. What doesn't
// parse is nothing that could be reached.
func (c Candidate) targets() []netprobe.Target {
	var ts []netprobe.Target
	for _, u := range c.URLs {
		if t, err := netprobe.ParseTarget(u); err == nil {
			t.Node = c.Node
			ts = append(ts, t)
		}
	}
	return ts
}

// resultsOf is what is known of a candidate's paths.
func resultsOf(c Candidate, results []netprobe.Result) []netprobe.Result {
	targets := c.targets()
	return slices.DeleteFunc(slices.Clone(results), func(r netprobe.Result) bool { return !slices.Contains(targets, r.Target) })
}

// Measured is what was found out about one path to a candidate.
type Measured struct {
	Server    string             `json:"server"`
	URL       string             `json:"url"`
	Transport netprobe.Transport `json:"transport"`
	RTT       float64            `json:"rtt_seconds"` // 0: unknown
	Up        shoal.Rate         `json:"up"`          // bytes/s; 0: not measured
	At        time.Time          `json:"at,omitzero"` // when Up was measured
	Error     string             `json:"error,omitempty"`
}

// route is a way to a candidate.
type route struct {
	candidate Candidate
	path      netprobe.Path
	up        shoal.Rate // as measured; 0: not
	rtt       time.Duration
	why       string // why this transport
}

// rank chooses one route for each candidate that answered, and puts them in the
// order in which they are to be tried: the fastest first, those within a tenth
// of each other by their distance, then those whose speed is not known, the
// nearest first. With tcpFirst, TCP is what is used where it answers and nothing was
// measured, else what is usual between the places. It is pure.
func rank(here shoal.Locality, candidates []Candidate, results []netprobe.Result, tcpFirst bool) []route {
	var routes []route
	for _, c := range candidates {
		if r, ok := routeTo(here, c, results, tcpFirst); ok {
			routes = append(routes, r)
		}
	}
	near := func(r route) shoal.Nearness { return here.Nearness(r.candidate.Locality) }
	slices.SortStableFunc(routes, func(a, b route) int {
		return cmp.Or(-cmp.Compare(a.up, b.up), cmp.Compare(near(a), near(b)), cmp.Compare(a.rtt, b.rtt))
	})
	alike := 0
	for alike < len(routes) && float64(routes[alike].up) >= 0.9*float64(routes[0].up) {
		alike++
	}
	slices.SortStableFunc(routes[:alike], func(a, b route) int {
		return cmp.Or(cmp.Compare(near(a), near(b)), cmp.Compare(distance(a.rtt), distance(b.rtt)))
	})
	return routes
}

// distance tells round trips apart that differ by about a quarter: less is chance.
func distance(rtt time.Duration) int { return int(math.Log(max(1, float64(rtt))) / math.Log(1.25)) }

// routeTo is the best way to a candidate; false where none answered.
func routeTo(here shoal.Locality, c Candidate, results []netprobe.Result, tcpFirst bool) (route, bool) {
	own := resultsOf(c, results)
	byTCP := func(r netprobe.Result) bool {
		return r.Transport == netprobe.TCP && r.Err == nil && r.Up.Err == nil && !plainTwin(r, results)
	}
	tried := false
	if slices.ContainsFunc(own, func(r netprobe.Result) bool { return r.Up.Goodput > 0 }) {
		// What is known to be fast is not given up for what nobody has measured.
		own = slices.DeleteFunc(own, func(r netprobe.Result) bool { return r.Up.Goodput == 0 })
	} else if tcpFirst && slices.ContainsFunc(own, byTCP) {
		own = slices.DeleteFunc(own, func(r netprobe.Result) bool { return !byTCP(r) })
		tried = true
	}
	fails := func(r netprobe.Result) bool { return r.Err != nil || r.Up.Err != nil }
	if !slices.ContainsFunc(own, func(r netprobe.Result) bool { return r.Err == nil && r.Up.Err == nil }) {
		fails = func(r netprobe.Result) bool { return r.Err != nil } // all fail to transfer: one has to be tried
	}
	own = slices.DeleteFunc(own, fails)
	use, why := netprobe.Recommend(here, c.Locality, own)
	best := -1
	for i, r := range own {
		if r.Transport == use && r.Err == nil && (best < 0 || r.Up.Goodput > own[best].Up.Goodput) {
			best = i
		}
	}
	if best < 0 {
		return route{}, false
	}
	r := own[best]
	if tried {
		why = "TCP is tried first"
	}
	return route{candidate: c, path: r.Path, up: r.Up.Goodput, rtt: r.RTT.Min, why: why}, true
}

// report is the measurements of all candidates, in their order.
func report(candidates []Candidate, results []netprobe.Result) []Measured {
	var all []Measured
	for _, c := range candidates {
		for _, r := range resultsOf(c, results) {
			m := Measured{Server: c.Name, URL: r.URL, Transport: r.Transport, RTT: r.RTT.Min.Seconds(), Up: r.Up.Goodput, At: r.Up.At}
			if err := cmp.Or(r.Err, r.Up.Err); err != nil {
				m.Error = err.Error()
			}
			all = append(all, m)
		}
	}
	return all
}
