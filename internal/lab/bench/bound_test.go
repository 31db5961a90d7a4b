//go:build linux

package main

import (
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
)

func mustFind(t *testing.T, name string, size shoal.Size) scenario {
	t.Helper()
	d, err := findDesign(name)
	if err != nil {
		t.Fatal(err)
	}
	return d.scenario(size)
}

// The bounds of equal and of unequal links are those that the design was made
// with.
func TestBound(t *testing.T) {
	for _, c := range []struct {
		scenario string
		size     shoal.Size
		want     float64 // seconds
	}{
		{"lan16", 64 << 20, 28.07},    // F/u_s
		{"lan1", 64 << 20, 28.07},     // the same for any number
		{"lan32", 64 << 20, 28.07},    //
		{"lan16@10", 64 << 20, 56.13}, // half the rate
		{"hetero12", 32 << 20, 14.77}, // N·F/(u_s+Σu_i)
		{"stagger", 64 << 20, 28.07},
		{"churn", 64 << 20, 28.07},
		{"slowpeer", 64 << 20, 28.07}, // not the slow one's 2807 s
		{"many", 80 << 20, 35.09},
		{"solo", 1 << 30, 0},
		{"small", 0, 0},
	} {
		if got := mustFind(t, c.scenario, c.size).bound().Seconds(); math.Abs(got-c.want) > 0.01 {
			t.Errorf("%s: bound %.3f s, want %.2f", c.scenario, got, c.want)
		}
	}
}

// Each term of the bound can be the one that counts.
func TestBoundTerms(t *testing.T) {
	const rate, size = 1514_000, 1448_000 * 10 // 10 s at that rate
	for _, c := range []struct {
		name string
		s    scenario
		want []float64
	}{
		{"origin's uplink", scenario{origin: link{rate, rate}, nodes: []node{{link: link{rate, 2 * rate}}}}, []float64{10}},
		{"thinnest downlink", scenario{origin: link{4 * rate, 0}, nodes: []node{
			{link: link{rate, rate / 2}}, {link: link{rate, rate}},
		}}, []float64{20, 20}},
		{"all uplinks", scenario{origin: link{2 * rate, 0}, nodes: []node{
			{link: link{0, 9 * rate}}, {link: link{0, 9 * rate}}, {link: link{rate, 9 * rate}},
		}}, []float64{10, 10, 10}},
		{"one that nobody waits for helps", scenario{origin: link{2 * rate, 0}, nodes: []node{
			{link: link{0, 9 * rate}}, {link: link{0, 9 * rate}}, {link: link{2 * rate, rate / 9}, aside: true},
		}}, []float64{5, 5, 5}},
		{"late nodes", scenario{origin: link{rate, 0}, nodes: []node{
			{link: link{rate, 4 * rate}},
			{link: link{rate, 4 * rate}, arrive: 3 * time.Second}, // the origin is not done
			{link: link{rate, 4 * rate}, arrive: 9 * time.Second}, // it might be
		}}, []float64{10, 7, 2.5}},
	} {
		c.s.size = size
		for i, got := range c.s.bounds() {
			if math.Abs(got.Seconds()-c.want[i]) > 1e-6 {
				t.Errorf("%s: bound of node %d is %v, want %g s", c.name, i, got, c.want[i])
			}
		}
	}
}

func TestPlan(t *testing.T) {
	second := time.Second
	s := scenario{nodes: []node{{leave: 2 * second}, {}, {arrive: second}, {arrive: 2 * second, joins: true}, {}}}
	want := []event{
		{0, arrives, []int{0, 1, 4}},
		{second, arrives, []int{2}},
		{2 * second, leaves, []int{0}},
		{2 * second, joins, []int{3}},
	}
	if got := s.plan(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// What scenarios promise in their descriptions.
func TestScenarios(t *testing.T) {
	churn := mustFind(t, "churn", 64<<20)
	if n := churn.watched(); n != 12 || len(churn.nodes) != 16 {
		t.Errorf("churn: %d of %d nodes are waited for, want 12 of 16", n, len(churn.nodes))
	}
	for i, n := range churn.nodes {
		if n.leave >= churn.bound() || (n.leave > 0) != n.aside || n.joins != (n.arrive > 0) {
			t.Errorf("churn: node %d: %+v", i, n)
		}
	}
	stagger := mustFind(t, "stagger", 0)
	if last := stagger.nodes[15].arrive; last != 10*time.Second {
		t.Errorf("stagger: the last node arrives at %v, want 10 s", last)
	}
	if s := mustFind(t, "small", 0); s.files != 10_000 {
		t.Errorf("small has %d files, want 10,000", s.files)
	}
	for _, name := range []string{"", "lan", "lan0", "lan65", "lan-1", "lanx", "lan4@", "lan4@0", "lan4@1001", "lan@10", "coldstart60@", "coldstart60@0", "coldstart61@1", "solo@10", "other"} {
		if _, err := findDesign(name); err == nil {
			t.Errorf("there is a scenario %q", name)
		}
	}
	var names []string
	for _, tool := range tools() {
		names = append(names, tool.name)
	}
	for _, d := range designs() {
		for _, name := range d.scenario(0).tools {
			if !slices.Contains(names, name) {
				t.Errorf("%s is about %q, which is no tool", d.name, name)
			}
		}
	}
}
