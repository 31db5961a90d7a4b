package sim

import (
	"context"
	"errors"
	"math"
	"reflect"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
)

const mbit = 1e6 / 8

func lan(nodes int, size int64) *Topology {
	return &Topology{
		Size: size, PieceLength: 32 << 10, Neighbours: 30, OriginNeighbours: 160, Overhead: true,
		Delays:  Delays{Elsewhere: time.Millisecond},
		Origins: []Group{{Name: "origin", Count: 1, Up: 20 * mbit, Down: 20 * mbit}},
		Nodes:   []Group{{Name: "n", Count: nodes, Up: 20 * mbit, Down: 20 * mbit}},
	}
}

func run(tb testing.TB, t *Topology) *Result {
	tb.Helper()
	if err := t.Check(); err != nil {
		tb.Fatal(err)
	}
	r, err := New(t).Run(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// One piece over one path: three round trips until both are connected, the
// HAVE, the request, and the block at the rate of the uplink.
func TestOnePieceTakesWhatItMust(t *testing.T) {
	top := lan(1, 16<<10)
	top.PieceLength, top.Overhead = 16<<10, false
	top.Origins[0].Up, top.Nodes[0].Down = 1e6, 0
	r := run(t, top)
	line := time.Duration(dataOnLine(16<<10)) * time.Microsecond
	if want := (6+1+1+1)*time.Millisecond + line; r.Last != want {
		t.Errorf("completed after %v, want %v", r.Last, want)
	}
	// The downlink takes its time too, and the path through two lines' delays.
	top.Nodes[0].Down, top.Nodes[0].Delay = 2e6, time.Millisecond
	r = run(t, top)
	if want := 2*(6+1+1+1)*time.Millisecond + line + line/2; r.Last != want {
		t.Errorf("completed after %v, want %v", r.Last, want)
	}
	// Without any delay, what one node does another one sees at the same time.
	top.Delays, top.Nodes[0].Delay = Delays{}, 0
	if r := run(t, top); r.Last != line+line/2 {
		t.Errorf("completed after %v, want %v", r.Last, line+line/2)
	}
}

// The swarm rules against the fluid bound (M3, B2), and what the overhead adds:
// never less than nothing, and about what it takes of a symmetric link. Chance makes
// two per cent between one seed and the next, so the mean of some counts.
func TestEqualUplinksNearBound(t *testing.T) {
	const seeds = 4
	var ratio, bare, copies float64
	for seed := range uint64(seeds) {
		top := lan(16, 16<<20)
		top.Seed = seed
		r := run(t, top)
		if r.Completed != 16 || r.CrossCarrier != 0 || r.First > r.Median || r.Median > r.Last {
			t.Errorf("%+v", r)
		}
		with := r.Ratio()
		ratio += with / seeds
		copies += float64(r.OriginSent) / float64(top.Size) / seeds
		top.Overhead = false
		without := run(t, top).Ratio()
		bare += without / seeds
		if without < 1 || with < 1 {
			t.Errorf("seed %d: %.3f of the bound with overhead, %.3f without", seed, with, without)
		}
	}
	t.Logf("%.3f of the bound with overhead, %.3f without; %.3f origin copies", ratio, bare, copies)
	if bare > 1.1 {
		t.Errorf("%.3f of the bound without overhead", bare)
	}
	if d := ratio - bare; d < 0.005 || d > 0.1 {
		t.Errorf("the overhead adds %.3f", d)
	}
	if copies < 1 || copies > 1.2 {
		t.Errorf("the origin sent %.3f copies", copies)
	}
}

// Nothing arrives that was not sent, and every node has all of it once.
func TestBytesAddUp(t *testing.T) {
	top := places(3, 8)
	top.Origins[0].Locality = top.Nodes[0].Locality
	top.Nodes[0].Spread = time.Second
	r := run(t, top)
	var sent, received int64
	for _, n := range r.Nodes[1:] {
		if got := n.Received.Origin + n.Received.Peers; got != top.Size {
			t.Errorf("%s received %d bytes, want %d", n.Name, got, top.Size)
		}
		received += n.Received.Origin + n.Received.Peers + n.Received.Wasted
	}
	for _, n := range r.Nodes {
		sent += n.Sent
	}
	if received > sent {
		t.Errorf("%d bytes received, %d sent", received, sent)
	}
	if r.CrossCarrier < top.Size || r.CrossCarrier > top.Size*5/4 {
		t.Errorf("%d bytes to another carrier, which needs %d (M7)", r.CrossCarrier, top.Size)
	}
}

func busy() *Topology {
	t := places(4, 20)
	t.Overhead = true
	t.Origins[0].Carrier = "a"
	t.Nodes[0].Spread, t.Nodes[1].Leave, t.Nodes[2].Join = time.Second, 800*time.Millisecond, 500*time.Millisecond
	t.Nodes = append(t.Nodes, Group{Name: "bad", Count: 1, Up: 1e6, Down: 1e6, Locality: t.Nodes[0].Locality, Fault: Corrupt})
	t.Links = []Link{{A: "a", B: "b", Rate: 2e6, Delay: 5 * time.Millisecond}}
	return t
}

// The same topology and seed give the same result, on any number of cores;
// another seed another one.
func TestDeterministic(t *testing.T) {
	first := run(t, busy())
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	if again := run(t, busy()); !reflect.DeepEqual(first, again) {
		t.Errorf("two runs differ:\n%+v\n%+v", first, again)
	}
	other := busy()
	other.Seed++
	if r := run(t, other); reflect.DeepEqual(first, r) {
		t.Error("the seed changes nothing")
	}
}

// M3: bad peers are named by those they harm, and all others complete.
func TestBadPeersAreNamed(t *testing.T) {
	top := lan(6, 8<<20)
	top.Nodes = append(top.Nodes,
		Group{Name: "corrupt", Count: 1, Up: 20 * mbit, Down: 20 * mbit, Holder: true, Fault: Corrupt},
		Group{Name: "mute", Count: 1, Up: 20 * mbit, Down: 20 * mbit, Holder: true, Fault: Mute})
	r := run(t, top)
	if r.Completed != 6 || r.Wanted != 6 || r.Wasted == 0 {
		t.Errorf("%d of %d completed, %d bytes wasted", r.Completed, r.Wanted, r.Wasted)
	}
	for _, n := range r.Nodes[1:7] {
		if !slices.Contains(n.Faults, FaultOf{"corrupt", "corrupt"}) {
			t.Errorf("%s named %v", n.Name, n.Faults)
		}
		for _, f := range n.Faults {
			if f != (FaultOf{"corrupt", "corrupt"}) && f != (FaultOf{"mute", "stalled"}) {
				t.Errorf("%s named %v", n.Name, f)
			}
		}
	}
}

// Nodes that leave stop nobody; what joins late is completed too.
func TestNodesComeAndGo(t *testing.T) {
	top := lan(8, 8<<20)
	top.Nodes = append(top.Nodes,
		Group{Name: "gone", Count: 4, Up: 20 * mbit, Down: 20 * mbit, Spread: time.Second, Leave: time.Second},
		Group{Name: "late", Count: 1, Up: 20 * mbit, Down: 20 * mbit, Join: 20 * time.Second})
	r := run(t, top)
	if r.Completed != 9 || r.Wanted != 9 || r.Left != 4 {
		t.Errorf("%d of %d completed, %d left", r.Completed, r.Wanted, r.Left)
	}
	late := r.Nodes[len(r.Nodes)-1]
	if took := late.Completed - late.Join; took < 3*time.Second || took > 8*time.Second {
		t.Errorf("the late one took %v", took)
	}
	if r.Bound < 23*time.Second || r.Ratio() < 1 {
		t.Errorf("bound %v, %.3f of it", r.Bound, r.Ratio())
	}
}

// An origin that leaves too early leaves nodes that can never complete: the
// simulation ends all the same and says so.
func TestOriginLeaves(t *testing.T) {
	top := lan(4, 8<<20)
	top.Origins[0].Leave = time.Second
	if r := run(t, top); r.Completed != 0 || r.Wanted != 4 || r.Ratio() != 0 || r.Last != 0 {
		t.Errorf("%+v", r)
	}
}

// A line between carriers that all their nodes share is what bounds them.
func TestSharedLine(t *testing.T) {
	top := lan(4, 8<<20)
	top.Origins[0].Carrier, top.Nodes[0].Carrier = "a", "b"
	top.Links = []Link{{A: "a", B: "b", Rate: 4 * mbit, Delay: 5 * time.Millisecond}}
	r := run(t, top)
	want := float64(top.Size) * frame / segment / (4 * mbit)
	if math.Abs(r.Bound.Seconds()-want) > 0.001 {
		t.Errorf("bound %v, want %.3f s", r.Bound, want)
	}
	if r.Ratio() < 1 || r.Ratio() > 1.5 {
		t.Errorf("%.3f of the bound", r.Ratio())
	}
}

func TestBound(t *testing.T) {
	const second = 1e6 * frame / segment // bytes a second on the line for 1 MB/s
	size := int64(8e6)
	top := func(up, down, other float64) *Topology {
		x := lan(4, size)
		x.Origins[0].Up, x.Nodes[0].Down, x.Nodes[0].Up = shoal.Rate(up), shoal.Rate(down), shoal.Rate(other)
		return x
	}
	line := func(from string, rate float64) Link {
		return Link{A: from, B: "b", Rate: shoal.Rate(rate * second)}
	}
	later := func(l Link, until time.Duration, rate float64) Link {
		l.Until, l.Then = until, shoal.Rate(rate*second)
		return l
	}
	across := func(links ...Link) *Topology {
		x := top(0, 0, 0)
		x.Origins[0].Carrier, x.Nodes[0].Carrier, x.Links = "a", "b", links
		return x
	}
	for _, c := range []struct {
		name string
		top  *Topology
		want float64 // seconds
	}{
		{"source", top(second, 2*second, 3*second), 8},
		{"downlink", top(2*second, second/2, 3*second), 16},
		{"all uplinks", top(second, 9*second, second/4), 16},
		{"unlimited", top(0, 0, 0), 0},
		{"two lines", across(line("a", 1), line("c", 3)), 2},
		{"a line gets worse", across(later(line("a", 1), 4*time.Second, 0.5)), 12},
		{"too late to matter", across(later(line("a", 1), 9*time.Second, 0.5)), 8},
		{"one after the other", across(later(line("a", 0.5), 4*time.Second, 1), later(line("c", 0.5), 6*time.Second, 0.25)), 6.8},
	} {
		if got := Bound(c.top).Seconds(); math.Abs(got-c.want) > 0.01 {
			t.Errorf("%s: %.3f s, want %.3f", c.name, got, c.want)
		}
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	s := New(lan(16, 64<<20))
	calls := 0
	s.OnProgress(func(p Progress) {
		calls++
		if p.Total != 16*2048 || p.Pieces > p.Total || p.Events <= 0 {
			t.Errorf("%+v", p)
		}
		cancel(why)
	})
	if _, err := s.Run(ctx); !errors.Is(err, why) {
		t.Errorf("error %v", err)
	}
	if calls != 1 {
		t.Errorf("progress was told %d times", calls)
	}
}

func BenchmarkCDN1000(b *testing.B) {
	top, err := Load("../../docs/topologies/cdn1000.yaml")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		r := run(b, top)
		b.ReportMetric(float64(r.Events)/1e6, "Mevents/op")
	}
}

// One copy for each carrier (M7), over all lines at once: three carriers that
// a line joins each two of, near the largest flow that they allow, also where a
// line gets worse on the way (M6).
func TestCarriersGetOneCopy(t *testing.T) {
	for name, change := range map[string]func(*Topology){
		"equal lines": func(*Topology) {},
		"a thin line": func(top *Topology) { top.Links[1].Rate /= 10 },
		"a line gets worse": func(top *Topology) {
			top.Links[1].Until, top.Links[1].Then = 4*time.Second, mbit
		},
	} {
		t.Run(name, func(t *testing.T) {
			top, err := Load("../../docs/topologies/carriers3.yaml")
			if err != nil {
				t.Fatal(err)
			}
			change(top)
			r := run(t, top)
			copies := float64(r.CrossCarrier) / float64(top.Size)
			t.Logf("%.3f of the bound, %.3f copies across", r.Ratio(), copies)
			if r.Ratio() > 1.25 || copies < 2 || copies > 2.2 {
				t.Errorf("%.3f of the bound, %.3f copies across", r.Ratio(), copies)
			}
		})
	}
}
