//go:build linux

package main

import (
	"fmt"
	"html"
	"io"
	"math"
	"slices"
	"strings"
)

// The picture's size and its margins around the plot, in pixels.
const (
	svgWidth, svgHeight                      = 720, 360
	plotLeft, plotRight, plotTop, plotBottom = 56, 150, 40, 44
)

// colourOf is a tool's colour, in all pictures. People with any colour vision
// can tell them apart (Okabe and Ito).
func colourOf(name string) string {
	palette := []string{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#f0e442", "#999999"}
	i := slices.IndexFunc(tools(), func(t tool) bool { return t.name == name })
	return palette[max(i, 0)%len(palette)]
}

// svgPatience is how far the time goes, in bounds, unless no tool is as quick:
// what takes much longer would leave no room for the rest. Its time is in the
// legend.
const svgPatience = 4

// writeSVG draws which share of the copies was complete when, in the typical
// run of each tool, and the bound.
func writeSVG(w io.Writer, c comparison) error {
	var b strings.Builder
	end := c.end()
	step := tickStep(end)
	end = max(1, math.Ceil(end*1.02/step)) * step
	x := func(s float64) float64 { return plotLeft + s/end*(svgWidth-plotLeft-plotRight) }
	y := func(share float64) float64 { return svgHeight - plotBottom - share*(svgHeight-plotTop-plotBottom) }

	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12" fill="#222">`+"\n", svgWidth, svgHeight)
	fmt.Fprintf(&b, "<title>%s</title>\n", html.EscapeString(c.Scenario+": share of the copies that are complete, over time"))
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#fff"/>`+"\n", svgWidth, svgHeight)
	fmt.Fprintf(&b, `<text x="%d" y="22" font-size="14">%s</text>`+"\n", plotLeft, html.EscapeString(strings.TrimPrefix(c.title(), "### ")))
	for i := range 5 {
		share := float64(i) / 4
		fmt.Fprintf(&b, `<path d="M%d %.1fH%.1f" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%d %%</text>`+"\n",
			plotLeft, y(share), x(end), plotLeft-6, y(share)+4, i*25)
	}
	for i := 0; float64(i)*step <= end*1.0001; i++ {
		s := float64(i) * step
		fmt.Fprintf(&b, `<path d="M%.1f %.1fv5" stroke="#222"/><text x="%.1f" y="%.1f" text-anchor="middle">%.4g</text>`+"\n",
			x(s), y(0), x(s), y(0)+18, s)
	}
	fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle">seconds since a node was told to fetch</text>`+"\n", x(end/2), svgHeight-8)
	if c.Bound > 0 {
		fmt.Fprintf(&b, `<path d="M%.1f %.1fV%.1f" stroke="#222" stroke-dasharray="5 4"/><text x="%.1f" y="%.1f" text-anchor="middle">bound</text>`+"\n",
			x(c.Bound), y(0), y(1), x(c.Bound), y(1)-4)
	}
	row := 0
	for _, t := range c.Tools {
		r, ok := t.typical()
		if !ok {
			continue
		}
		colour := colourOf(t.Tool)
		fmt.Fprintf(&b, `<path d="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", curve(r.Seconds, end, x, y), colour)
		at := plotTop + 12 + 20*row
		fmt.Fprintf(&b, `<path d="M%d %dh16" stroke="%s" stroke-width="3"/><text x="%d" y="%d">%s, %.4g s</text>`+"\n",
			svgWidth-plotRight+12, at-4, colour, svgWidth-plotRight+34, at, html.EscapeString(t.Tool), r.last())
		row++
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// end is the last second of the picture.
func (c comparison) end() float64 {
	least, most := math.Inf(1), c.Bound
	for _, t := range c.Tools {
		if r, ok := t.typical(); ok {
			least, most = min(least, r.last()), max(most, r.last())
		}
	}
	if c.Bound == 0 || math.IsInf(least, 1) {
		return most
	}
	return min(most, max(least, svgPatience*c.Bound))
}

// curve is the path of a step function that rises with each of the sorted
// times, as far as the end.
func curve(times []float64, end float64, x, y func(float64) float64) string {
	var b strings.Builder
	fmt.Fprintf(&b, "M%.1f %.1f", x(0), y(0))
	for i, s := range times {
		if s > end {
			fmt.Fprintf(&b, "H%.1f", x(end))
			break
		}
		fmt.Fprintf(&b, "H%.1fV%.1f", x(s), y(float64(i+1)/float64(len(times))))
	}
	return b.String()
}

// tickStep is 1, 2 or 5 times a power of ten, such that there are 4 to 10 ticks.
func tickStep(end float64) float64 {
	if end <= 0 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(end/4)))
	for _, f := range []float64{5, 2} {
		if end/4 >= f*power {
			return f * power
		}
	}
	return power
}
