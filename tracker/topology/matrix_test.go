package topology

import (
	"fmt"
	"math"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

var start = time.Unix(1000, 0)

// said is a report at a time since start, from carrier a to b unless it says otherwise.
type said struct {
	at      time.Duration
	node    shoal.NodeID
	session string
	api.Path
}

func path(bytes int64, rtt, loss float64, goodput shoal.Rate) api.Path {
	return api.Path{Bytes: bytes, RTT: rtt, Loss: loss, Goodput: goodput}
}

func seen(bytes int64, rtt, loss float64, goodput shoal.Rate, age float64, nodes int) api.PathSeen {
	p := api.PathSeen{From: "a", To: "b", Bytes: bytes, RTT: rtt, Goodput: goodput, Age: age, Nodes: nodes}
	if goodput > 0 {
		p.Loss = &loss
	}
	return p
}

func TestMatrix(t *testing.T) {
	const s = time.Second
	for name, tt := range map[string]struct {
		said []said
		at   time.Duration
		want api.PathSeen
	}{
		"one node": {[]said{{0, "n1", "s", path(100, 60, 0.01, 50)}}, 2 * s, seen(100, 60, 0.01, 50, 2, 1)},
		"bytes are told as sums": {[]said{
			{0, "n1", "s", path(100, 60, 0.01, 50)}, {5 * s, "n1", "s", path(300, 70, 0.02, 80)},
		}, 5 * s, seen(300, 70, 0.02, 80, 0, 1)},
		"two nodes at once": {[]said{
			{0, "n1", "s", path(100, 60, 0.01, 30)}, {5 * s, "n2", "s", path(100, 70, 0.05, 90)},
		}, 5 * s, seen(200, 60, 0.04, 120, 0, 2)},
		"two nodes, one after the other": {[]said{
			{0, "n1", "s", path(100, 60, 0.01, 30)}, {16 * s, "n2", "s", path(100, 70, 0.05, 90)},
		}, 16 * s, seen(200, 70, 0.05, 90, 0, 1)},
		"a node that started again": {[]said{
			{0, "n1", "s", path(100, 60, 0, 30)}, {s, "n1", "s2", path(150, 60, 0, 30)},
		}, s, seen(250, 60, 0, 30, 0, 1)},
		"told again, after a resync": {[]said{
			{0, "n1", "s", path(100, 60, 0, 30)}, {20 * s, "n1", "s", path(100, 60, 0, 30)},
		}, 20 * s, seen(100, 60, 0, 30, 20, 1)},
		"a node that forgot the line": {[]said{
			{0, "n1", "s", path(100, 60, 0, 30)}, {s, "n1", "s", path(10, 60, 0, 30)},
		}, s, seen(110, 60, 0, 30, 0, 1)},
		"little traffic tells the RTT only": {[]said{
			{0, "n1", "s", path(100, 60, 0.01, 50)}, {60 * s, "n1", "s", path(101, 55, 0, 0)},
		}, 60 * s, seen(101, 55, 0.01, 50, 0, 1)},
		"nothing is known": {[]said{{0, "n1", "s", path(100, 0, 0, 0)}}, 0, seen(100, 0, 0, 0, 0, 0)},
		"no traffic for long": {[]said{
			{0, "n1", "s", path(100, 60, 0.01, 50)},
		}, lineMemory + s, seen(100, 0, 0, 0, 301, 0)},
		"a loss of nothing is known": {[]said{{0, "n1", "s", path(100, 60, 0, 50)}}, 0, seen(100, 60, 0, 50, 0, 1)},
		"absurd sums": {[]said{
			{0, "n1", "s", path(math.MaxInt64, 60, 1, math.MaxInt64)}, {0, "n2", "s", path(math.MaxInt64, 60, 1, math.MaxInt64)},
		}, 0, seen(math.MaxInt64, 60, 1, math.MaxInt64, 0, 2)},
	} {
		m := New()
		for _, r := range tt.said {
			r.From, r.To = "a", "b"
			m.Report(start.Add(r.at), r.node, r.session, []api.Path{r.Path})
		}
		if got := m.View(start.Add(tt.at)); !reflect.DeepEqual(got, []api.PathSeen{tt.want}) {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
}

func TestViewIsInOrder(t *testing.T) {
	m := New()
	if got := m.View(start); got == nil || len(got) > 0 {
		t.Errorf("an empty matrix: %#v", got)
	}
	m.Report(start, "n", "s", []api.Path{{From: "b", To: "a"}, {From: "a", To: "c"}, {From: "a", To: "b"}})
	var got []string
	for _, p := range m.View(start) {
		got = append(got, p.From+p.To)
	}
	if !reflect.DeepEqual(got, []string{"ab", "ac", "ba"}) {
		t.Error(got)
	}
}

// Nodes that claim any number of carriers, or come in any number, cost so much and no more.
func TestBounds(t *testing.T) {
	m := New()
	for i := range 300 {
		from := fmt.Sprint("c", i)
		var paths []api.Path
		for j := range 64 {
			paths = append(paths, api.Path{From: from, To: fmt.Sprint("c", (i+j+1)%300), Bytes: 1})
		}
		m.Report(start, "hostile", "s", paths)
	}
	if len(m.carriers) > maxCarriers || len(m.lines) > maxLines || m.reports != len(m.lines) {
		t.Errorf("%d carriers, %d lines, %d reports", len(m.carriers), len(m.lines), m.reports)
	}
	m = New()
	report := func(now time.Time, node int) {
		m.Report(now, shoal.NodeID(fmt.Sprint(node)), "s", []api.Path{{From: "a", To: "b", Bytes: 1}})
	}
	for i := range maxReports + 10 {
		report(start, i)
	}
	if got := m.View(start)[0].Bytes; got != maxReports {
		t.Errorf("%d bytes, want %d", got, maxReports)
	}
	m.Sweep(start.Add(reportMemory + 1))
	if report(start.Add(2*reportMemory), 0); m.reports != 1 || m.View(start)[0].Bytes != maxReports+1 {
		t.Errorf("%d reports, %+v", m.reports, m.View(start))
	}
}

func TestConcurrentUse(t *testing.T) { // run with -race
	m := New()
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for n := range 100 {
				m.Report(start, shoal.NodeID(fmt.Sprint(i)), "s", []api.Path{{From: "a", To: "b", Bytes: int64(n + 1), RTT: 1}})
				m.View(start)
				m.Sweep(start)
			}
		})
	}
	wg.Wait()
	if got := m.View(start)[0].Bytes; got != 400 {
		t.Errorf("%d bytes, want 400", got)
	}
}
