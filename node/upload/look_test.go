package upload

import (
	"strings"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/netprobe"
)

// A transport that is left because it is policed is known by what it usually carried, so that nothing
// speaks for going back, for which its next burst would be taken (M9).
func TestLeavesPolicedTransportForGood(t *testing.T) {
	const mib = 1 << 20
	c := Candidate{Name: "a", URLs: []string{"https://a:1"}}
	r := newRun(Options{})
	r.candidates = []Candidate{c}
	way := func(tr netprobe.Transport) route {
		path := netprobe.Path{Target: c.targets()[0], Transport: tr}
		r.results = append(r.results, netprobe.Result{Path: path, RTT: netprobe.RTT{Min: 20 * time.Millisecond}})
		return route{candidate: c, path: path, rtt: 20 * time.Millisecond}
	}
	tcp, quic := way(netprobe.TCP), way(netprobe.QUIC)
	r.enter(tcp.path, netprobe.Transfer{At: time.Now(), Goodput: 4 * mib}) // as the first burst looked
	now := time.Now()
	look := func(s *session, at pace) (prospect, bool) {
		at.active, at.route = 10*time.Second, s.route
		return s.doubts.next(now, at, s.prospects(at))
	}

	s := &session{run: r, route: tcp}
	policed := pace{speed: 4 * mib, usual: mib / 2, left: 1000 * mib}
	p, ok := look(s, policed)
	if !ok || p.route.path != quic.path {
		t.Fatalf("looks at %v, %t", p.route.path, ok)
	}
	up := netprobe.Transfer{At: now, Goodput: 3 * mib}
	err := s.consider(sight{prospect: p, up: up, took: time.Second, meanwhile: mib / 2}, policed)
	if err == nil || !strings.Contains(err.Error(), shoal.Size(policed.usual).Short()+"/s") {
		t.Fatalf("stays, or tells of a burst: %v", err)
	}
	if got := r.results[0].Up.Goodput; got != policed.usual {
		t.Errorf("noted %s of the policed transport, want %s", got.Short(), policed.usual.Short())
	}

	s = &session{run: r, route: quic}
	for range 10 {
		now = now.Add(doubtEvery)
		if p, ok := look(s, pace{speed: 3 * mib, usual: 3 * mib, left: 900 * mib}); ok {
			t.Errorf("looks back at %v", p.route.path)
		}
	}
}
