//go:build linux

package main

import (
	"fmt"
	"strings"
)

// lineAbout is what a line is like, for the report.
type lineAbout struct {
	Text    string  `json:"about"`
	Payload float64 `json:"payload_bytes_per_second"` // if nothing is lost
}

func (l line) about() *lineAbout { return &lineAbout{l.String(), l.payload()} }

// lineColumns are the figures of a scenario with a line.
func lineColumns() []column {
	return []column{
		{"goodput %", 1, func(r result) float64 { return 100 * r.Line.Goodput }},
		{"steady %", 1, func(r result) float64 { return 100 * r.Line.Steady }},
		{"first bytes s", 2, func(r result) float64 { return r.Line.First }},
		{"longest silence s", 2, func(r result) float64 { return r.Line.Silence }},
		{"MiB", 1, func(r result) float64 { return float64(r.Line.Received) / (1 << 20) }},
		{"in s", 2, func(r result) float64 { return r.Line.Seconds }},
		{"sent/received", 2, func(r result) float64 { return r.Line.Sent }},
		{"CPU s/GiB", 2, func(r result) float64 { return r.CPU }},
		{"machine busy %", 0, func(r result) float64 { return 100 * r.Busy }},
	}
}

// String says in short what a run showed.
func (r lineResult) String() string {
	return fmt.Sprintf("%.1f %% of the line, steady %.1f %%, longest silence %.2f s: %.1f MiB in %.2f s",
		100*r.Goodput, 100*r.Steady, r.Silence, float64(r.Received)/(1<<20), r.Seconds)
}

// goodput is the median over the runs, as a share of the line's payload rate; 0
// where there is none.
func (t toolResult) goodput() float64 {
	var all []float64
	for _, r := range t.good() {
		if r.Line != nil {
			all = append(all, r.Line.Goodput)
		}
	}
	return median(all)
}

// ratios says how many times the goodput of each other tool the first tool had.
func (c comparison) ratios() string {
	if c.Line == nil || len(c.Tools) == 0 || c.Tools[0].goodput() == 0 {
		return ""
	}
	first := c.Tools[0]
	var parts []string
	for _, t := range c.Tools[1:] {
		if g := t.goodput(); g > 0 {
			parts = append(parts, fmt.Sprintf("%.3g × %s", first.goodput()/g, t.Tool))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return fmt.Sprintf("\nGoodput of %s: %s\n", first.Tool, strings.Join(parts, ", "))
}
