//go:build linux

package main

import (
	"math"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/internal/lab/linkem"
)

// The largest flow into a carrier takes every way there is, in either direction
// of a line, none over a line that is cut, and over one that gets worse what it
// then lets pass.
func TestInflow(t *testing.T) {
	lay := func(carriers int, rates map[[2]int]float64, changed ...road) mesh {
		m := mesh{carriers: carriers}
		for ends, r := range rates {
			k := road{a: ends[0], b: ends[1]}
			k.Rate = shoal.Rate(r * 1e6 / 8)
			for _, c := range changed {
				if c.a == k.a && c.b == k.b {
					k.becomes(c.Config, time.Second)
				}
			}
			m.roads = append(m.roads, k)
		}
		return m
	}
	for name, c := range map[string]struct {
		m    mesh
		to   int
		want float64 // Mbit/s
	}{
		"one line":              {lay(2, map[[2]int]float64{{0, 1}: 20}), 1, 20},
		"two ways":              {lay(3, map[[2]int]float64{{0, 1}: 20, {0, 2}: 20, {1, 2}: 20}), 2, 40},
		"a thin line":           {lay(3, map[[2]int]float64{{0, 1}: 20, {0, 2}: 2, {1, 2}: 20}), 2, 22},
		"named the other way":   {lay(3, map[[2]int]float64{{1, 0}: 20, {2, 0}: 20, {2, 1}: 5}), 2, 25},
		"a line is cut":         {lay(3, map[[2]int]float64{{0, 1}: 20, {0, 2}: 20, {1, 2}: 10}, road{a: 0, b: 2, Config: linkem.Config{Loss: 1}}), 2, 10},
		"a line gets worse":     {lay(3, map[[2]int]float64{{0, 1}: 20, {0, 2}: 20, {1, 2}: 10}, road{a: 0, b: 2, Config: linkem.Config{Rate: mbit, Loss: 0.05}}), 2, 11},
		"a flow must be undone": {lay(4, map[[2]int]float64{{0, 1}: 10, {0, 2}: 10, {1, 2}: 10, {1, 3}: 10, {2, 3}: 10}), 3, 20},
		"no way":                {lay(3, map[[2]int]float64{{0, 1}: 20}), 2, 0},
	} {
		if got := c.m.inflow(c.to) * 8 / 1e6 / linePayload; math.Abs(got-c.want) > 1e-6 {
			t.Errorf("%s: %.3f Mbit/s, want %.3f", name, got, c.want)
		}
	}
}

// The figure for three carriers, and that of a node that comes late.
func TestCarriersBound(t *testing.T) {
	bound := func(name string) (last time.Duration) {
		d, err := findDesign(name)
		if err != nil {
			t.Fatal(err)
		}
		return d.scenario(0).bound()
	}
	for name, want := range map[string]float64{"carriers": 10.4, "carriers-thin": 19, "carriers-cut": 20.9, "carriers-degrade": 19.9, "carriers-late": 10.4} {
		if got := bound(name).Seconds(); math.Abs(got-want) > 0.1 {
			t.Errorf("%s: %.2f s, want %.1f", name, got, want)
		}
	}
}
