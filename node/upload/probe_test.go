package upload

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/netprobe"
)

// fakePaths answers a prober's measurements in virtual time: targets have speeds by URL.
type fakePaths struct {
	speeds map[string]shoal.Rate
	slow   map[netprobe.Path]time.Duration // until it answers; else a millisecond

	mu        sync.Mutex
	transfers []netprobe.Path // that ran to their end
	most      int             // at the same time
	running   int
}

func (f *fakePaths) measure(ctx context.Context, plan []netprobe.Step) []netprobe.Result {
	var results []netprobe.Result
	for _, s := range plan {
		r := netprobe.Result{Path: s.Path, RTT: netprobe.RTT{Min: time.Millisecond}}
		took := f.slow[s.Path] + time.Millisecond
		if s.Op == netprobe.Upload {
			took += s.Time
		}
		f.begin(s.Op)
		select {
		case <-time.After(took):
			if s.Op == netprobe.Upload {
				r.Up = netprobe.Transfer{At: time.Now(), Goodput: f.speeds[s.URL]}
			}
		case <-ctx.Done():
			if r.Up.Err = context.Cause(ctx); s.Op == netprobe.Ping {
				r.Err, r.Up.Err, r.RTT = r.Up.Err, nil, netprobe.RTT{}
			}
		}
		f.end(s, r)
		results = append(results, r)
	}
	return results
}

func (f *fakePaths) begin(op netprobe.Op) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if op == netprobe.Upload {
		f.running++
		f.most = max(f.most, f.running)
	}
}

func (f *fakePaths) end(s netprobe.Step, r netprobe.Result) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s.Op == netprobe.Upload {
		f.running--
		if r.Up.Err == nil {
			f.transfers = append(f.transfers, s.Path)
		}
	}
}

func (f *fakePaths) candidates(n int) []Candidate {
	var cs []Candidate
	for i := range n {
		url := fmt.Sprintf("https://%c:1", 'a'+i)
		cs = append(cs, Candidate{Name: url[8:9], URLs: []string{url}})
		if f.speeds == nil {
			f.speeds = map[string]shoal.Rate{}
		}
		f.speeds[url] = shoal.Rate(i+1) << 20
	}
	return cs
}

// Nothing is measured that the first chunk would have to wait for: while the content is hashed, time costs
// nothing, and a race that hashing overtakes is left to the upload's first seconds (M9).
func TestProbeBudget(t *testing.T) {
	for _, c := range []struct {
		name    string
		servers int
		size    int64
		hashing time.Duration
		want    int           // transfers
		atOnce  int           // of these
		within  time.Duration // after the hashing
		unraced bool
	}{
		{"one server: no choice", 1, 1 << 30, time.Minute, 0, 0, 0, false},
		{"tiny", 3, 100 << 10, 0, 0, 0, minGrace, false},
		{"small", 3, 10 << 20, 0, 0, 0, minGrace, false},
		{"small, slow disk", 3, 10 << 20, time.Minute, 6, 1, 0, false},
		{"large, hashed before", 3, 256 << 20, 0, 0, 0, minGrace, true},
		{"large, hashed while they race", 9, 256 << 20, minStepTime / 2, 0, racers, 0, true},
		{"large, many servers, hashed right after the race", 9, 256 << 20, minStepTime + minStepTime/2, racers, racers, 0, false},
		{"large, some seconds of hashing", 3, 2 << 30, 10 * time.Second, 3 + 6 - 1, 3, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				hashed := make(chan struct{})
				time.AfterFunc(c.hashing, func() { close(hashed) })
				var paths fakePaths
				f := &findings{size: c.size, candidates: paths.candidates(c.servers), unclear: map[netprobe.Path]bool{}}
				began := time.Now()
				prober{measure: paths.measure, now: time.Now}.run(t.Context(), f, hashed, nil)
				if took := time.Since(began); took > c.hashing+c.within+10*time.Millisecond {
					t.Errorf("took %v", took)
				}
				if len(paths.transfers) != c.want || paths.most != c.atOnce {
					t.Errorf("%d transfers, %d at once; want %d, %d: %v", len(paths.transfers), paths.most, c.want, c.atOnce, paths.transfers)
				}
				if f.unraced != c.unraced {
					t.Errorf("unraced is %t", f.unraced)
				}
				if fastest := f.routes()[0].candidate.Name; c.want > 0 && c.servers <= racers && fastest != string(rune('a'+c.servers-1)) {
					t.Errorf("%s is first", fastest)
				}
				time.Sleep(time.Hour)
			})
		})
	}
}

// A lost packet of one transport does not rule a server out, and one that is dead holds up nobody.
func TestProbeSlowAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hashed := make(chan struct{})
		close(hashed)
		var paths fakePaths
		cs := paths.candidates(3)
		tcp := func(c Candidate) netprobe.Path { return netprobe.Path{Target: c.targets()[0], Transport: netprobe.TCP} }
		quic := netprobe.Path{Target: cs[2].targets()[0], Transport: netprobe.QUIC}
		paths.slow = map[netprobe.Path]time.Duration{tcp(cs[1]): time.Second, tcp(cs[2]): time.Minute, quic: time.Minute}
		f := &findings{size: 1 << 30, candidates: cs, unclear: map[netprobe.Path]bool{}}
		began := time.Now()
		prober{measure: paths.measure, now: time.Now}.run(t.Context(), f, hashed, nil)
		if took := time.Since(began); took > time.Second {
			t.Errorf("took %v", took)
		}
		var names []string
		for _, rt := range f.routes() {
			names = append(names, rt.candidate.Name+" "+string(rt.path.Transport))
		}
		if want := []string{"a tcp", "b tcp"}; !slices.Equal(names, want) {
			t.Errorf("routes %v, want %v", names, want)
		}
		if got := f.hope(tcp(cs[1]), 5); got != optimism*5 {
			t.Errorf("b may have %d: it was only slow to answer", got)
		}
		time.Sleep(time.Hour)
	})
}

// What was measured before is not measured again while the network is the same.
func TestRecall(t *testing.T) {
	now := time.Now()
	path := func(url string) netprobe.Result {
		return netprobe.Result{Path: netprobe.Path{Target: netprobe.Target{URL: url}, Transport: netprobe.TCP}, RTT: netprobe.RTT{Min: 50 * time.Millisecond}}
	}
	known := func(url string, up shoal.Rate, rtt float64, age time.Duration) Measured {
		return Measured{URL: url, Transport: netprobe.TCP, RTT: rtt, Up: up, At: now.Add(-age)}
	}
	for _, c := range []struct {
		name  string
		known []Measured
		want  bool
	}{
		{"nothing", nil, false},
		{"the same", []Measured{known("http://a", 10, 0.05, time.Minute), known("http://b", 5, 0.05, 0)}, true},
		{"old", []Measured{known("http://a", 10, 0.05, 2*time.Hour)}, false},
		{"another distance", []Measured{known("http://a", 10, 0.3, 0)}, false},
		{"the fastest is not there", []Measured{known("http://a", 10, 0.05, 0), known("http://c", 50, 0.05, 0)}, false},
	} {
		f := findings{results: []netprobe.Result{path("http://a"), path("http://b")}}
		if got := f.recall(now, c.known); got != c.want || (f.results[0].Up.Goodput == 10) != c.want {
			t.Errorf("%s: %t, %+v", c.name, got, f.results[0].Up)
		}
	}
}

// Of servers about as near as the nearest, the one with the widest downlink comes first.
func TestByDistance(t *testing.T) {
	var f findings
	for i, c := range []struct {
		name string
		rtt  time.Duration
		down shoal.Rate
	}{
		{"wide but far", 100, 1000}, {"nearest", 40, 10}, {"near and wide", 45, 400}, {"near, unknown", 42, 0},
	} {
		url := fmt.Sprintf("http://198.18.0.%d", i+1)
		target, err := netprobe.ParseTarget(url)
		if err != nil {
			t.Fatal(err)
		}
		f.candidates = append(f.candidates, Candidate{Name: c.name, URLs: []string{url}, Down: c.down})
		f.results = append(f.results, netprobe.Result{Path: netprobe.Path{Target: target, Transport: netprobe.TCP}, RTT: netprobe.RTT{Min: c.rtt * time.Millisecond}})
	}
	var got []string
	for _, c := range f.byDistance() {
		got = append(got, c.Name)
	}
	if want := []string{"near and wide", "nearest", "near, unknown", "wide but far"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
