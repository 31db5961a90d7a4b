package upload

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/netprobe"
)

func TestRequestBytes(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		name   string
		own    shoal.Rate
		all    []shoal.Rate
		queued int64
		rtt    time.Duration
		want   int64
	}{
		{"near: half a second", 4 * mib, []shoal.Rate{4 * mib}, 1 << 30, time.Millisecond, 2 * mib},
		{"far: eight round trips", 4 * mib, []shoal.Rate{4 * mib}, 1 << 30, 125 * time.Millisecond, 4 * mib},
		{"very far", 4 * mib, []shoal.Rate{4 * mib}, 1 << 30, time.Second, 10 * mib},
		{"the bound", 1 << 30, []shoal.Rate{1 << 30}, 1 << 40, 0, maxRequest},
		{"eight share the memory", 1 << 30, slices.Repeat([]shoal.Rate{1 << 30}, 8), 1 << 40, 0, 8 * mib},
		{"slow", 1000, []shoal.Rate{1000}, 1 << 30, 0, minRequest},
		{"its share at the end", 4 * mib, []shoal.Rate{4 * mib, 12 * mib}, 4 * mib, 125 * time.Millisecond, mib},
	} {
		if got := requestBytes(c.own, c.all, c.queued, c.rtt); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

// Every chunk is granted until it is settled, and none of them twice at once.
func TestWork(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	w := newWork([]span{{0, 10}, {20, 30}, {60, 1}}, func(int) int { return 10 })
	want := map[int]bool{}
	for _, s := range []span{{0, 10}, {20, 30}, {60, 1}} {
		for i := range s.count {
			want[s.first+i] = true
		}
	}
	var held []*grant
	busy := map[int]bool{}
	for steps := 0; len(want) > 0 && steps < 10_000; steps++ {
		if g := w.take(rng.Int64N(60)); g != nil {
			for i := range g.count {
				if busy[g.first+i] || !want[g.first+i] {
					t.Fatalf("chunk %d granted though busy or settled", g.first+i)
				}
				busy[g.first+i] = true
			}
			held = append(held, g)
		}
		if len(held) == 0 || rng.IntN(2) == 0 {
			continue
		}
		i := rng.IntN(len(held))
		g := held[i]
		held = slices.Delete(held, i, i+1)
		for k := g.first; k < g.end(); k++ {
			delete(busy, k)
		}
		if rng.IntN(3) > 0 {
			w.settle(g)
			for k := g.first; k < g.end(); k++ {
				delete(want, k)
			}
			continue
		}
		half := g.count / 2
		w.giveBack(g, []span{{g.first + half, 1000}})
		for k := range half {
			delete(want, g.first+k)
		}
	}
	if queued, open, _ := w.state(); queued != 0 || open != 0 || len(want) != 0 {
		t.Errorf("at the end %d bytes queued, %d chunks open, %d wanted", queued, open, len(want))
	}
}

func TestCheckMissing(t *testing.T) {
	if got, ok := checkMissing([]span{{5, 2}, {0, 1}}, 7); !ok || !slices.Equal(got, []span{{0, 1}, {5, 2}}) {
		t.Errorf("got %v, %t", got, ok)
	}
	for _, bad := range [][]span{{{0, 0}}, {{6, 2}}, {{0, 2}, {1, 1}}, {{-1, 2}}, {{1 << 62, 1 << 62}}, {{3, -1}}} {
		if got, ok := checkMissing(bad, 7); ok {
			t.Errorf("%v is taken as %v", bad, got)
		}
	}
}

func TestLoyalty(t *testing.T) {
	for _, c := range []struct {
		held  int64
		speed shoal.Rate
		want  time.Duration
	}{{0, 1, minLoyalty}, {1 << 30, 1 << 20, maxLoyalty}, {100 << 20, 1 << 20, 100 * time.Second}, {1 << 20, 0, minLoyalty}} {
		if got := loyalty(c.held, c.speed); got != c.want {
			t.Errorf("%d bytes at %d: %s, want %s", c.held, c.speed, got, c.want)
		}
	}
}

func TestRank(t *testing.T) {
	here := shoal.Locality{Carrier: "a", Region: "n"}
	near := Candidate{Name: "near", URLs: []string{"https://near:1"}, Locality: here}
	twin := Candidate{Name: "twin", URLs: []string{"https://twin:1"}, Locality: here}
	far := Candidate{Name: "far", URLs: []string{"https://far:1"}, Locality: shoal.Locality{Carrier: "b"}}
	dead := Candidate{Name: "dead", URLs: []string{"https://dead:1", "nonsense://"}}
	result := func(c Candidate, tr netprobe.Transport, up shoal.Rate, rtt time.Duration) netprobe.Result {
		r := netprobe.Result{Path: netprobe.Path{Target: c.targets()[0], Transport: tr}, RTT: netprobe.RTT{Min: rtt}}
		if up > 0 {
			r.Up = netprobe.Transfer{At: time.Unix(1, 0), Goodput: up}
		}
		return r
	}
	down := func(c Candidate) netprobe.Result {
		r := result(c, netprobe.TCP, 0, 0)
		r.Err = shoal.ErrUnavailable
		return r
	}
	type pair struct {
		name string
		tr   netprobe.Transport
	}
	for _, c := range []struct {
		name     string
		tcpFirst bool
		results  []netprobe.Result
		want     []pair
	}{
		{"the fastest first, each by its fastest transport", true, []netprobe.Result{
			result(near, netprobe.TCP, 100, 1), result(near, netprobe.QUIC, 300, 1),
			result(far, netprobe.TCP, 900, 50), result(far, netprobe.QUIC, 100, 50), down(dead),
		}, []pair{{"far", netprobe.TCP}, {"near", netprobe.QUIC}}},
		{"alike: the near one", false, []netprobe.Result{
			result(near, netprobe.TCP, 95, 1), result(far, netprobe.QUIC, 100, 50),
		}, []pair{{"near", netprobe.TCP}, {"far", netprobe.QUIC}}},
		{"alike in all: the faster one", false, []netprobe.Result{
			result(near, netprobe.TCP, 95, 80*time.Millisecond), result(twin, netprobe.TCP, 99, 81*time.Millisecond),
		}, []pair{{"twin", netprobe.TCP}, {"near", netprobe.TCP}}},
		{"not measured", false, []netprobe.Result{
			result(far, netprobe.QUIC, 0, 50), result(far, netprobe.TCP, 0, 50), result(near, netprobe.TCP, 0, 60), result(near, netprobe.QUIC, 0, 60),
		}, []pair{{"near", netprobe.TCP}, {"far", netprobe.QUIC}}},
		{"not measured, and worth trying", true, []netprobe.Result{
			result(far, netprobe.QUIC, 0, 50), result(far, netprobe.TCP, 0, 50), result(near, netprobe.QUIC, 0, 60),
		}, []pair{{"near", netprobe.QUIC}, {"far", netprobe.TCP}}},
		{"only the unusual transport measured", false, []netprobe.Result{
			result(far, netprobe.QUIC, 0, 50), result(far, netprobe.TCP, 500, 50), result(near, netprobe.TCP, 100, 60), result(near, netprobe.QUIC, 0, 60),
		}, []pair{{"far", netprobe.TCP}, {"near", netprobe.TCP}}},
		{"nobody", false, []netprobe.Result{down(dead)}, nil},
	} {
		var got []pair
		for _, r := range rank(here, []Candidate{dead, far, near, twin}, c.results, c.tcpFirst) {
			got = append(got, pair{r.candidate.Name, r.path.Transport})
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestGrowth(t *testing.T) {
	var now time.Duration
	g := newGrowth(now, 8)
	sent, n := int64(1), 2
	g.more(now, sent, n)
	// The third brings more, the fourth doesn't.
	for _, speed := range []int64{100, 150, 151, 500} {
		now += growEvery
		sent += speed * int64(growEvery/time.Second)
		if g.more(now, sent, n) {
			n++
		}
	}
	if n != 4 {
		t.Errorf("%d connections, want 4", n)
	}
}
