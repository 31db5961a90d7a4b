//go:build linux

package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// comparison is a scenario's results.
type comparison struct {
	Scenario string       `json:"scenario"`
	About    string       `json:"about"`
	Nodes    int          `json:"nodes"` // that were waited for
	Size     int64        `json:"size"`  // bytes, all contents together
	Contents int          `json:"contents"`
	Files    int          `json:"files,omitempty"` // of each content, if it is a folder
	Bound    float64      `json:"bound_seconds,omitempty"`
	Line     *lineAbout   `json:"line,omitempty"`
	Mesh     bool         `json:"several_carriers,omitempty"`
	Cold     bool         `json:"cold,omitempty"`
	Tools    []toolResult `json:"tools"`
}

// toolResult is one tool's results.
type toolResult struct {
	Tool    string   `json:"tool"`
	Version string   `json:"version"`
	Runs    []result `json:"runs"`
}

// good are the runs that count.
func (t toolResult) good() []result {
	return slices.DeleteFunc(slices.Clone(t.Runs), func(r result) bool { return r.Failure != "" })
}

// typical is the run whose last copy came at the median time.
func (t toolResult) typical() (result, bool) {
	runs := t.good()
	if len(runs) == 0 {
		return result{}, false
	}
	slices.SortFunc(runs, func(a, b result) int { return cmp.Compare(a.last(), b.last()) })
	return runs[(len(runs)-1)/2], true
}

// column is one figure of a run. Where it is 0 for all runs, it does not apply.
type column struct {
	title  string
	digits int
	of     func(result) float64
}

func (c comparison) columns() []column {
	if c.Line != nil {
		return lineColumns()
	}
	list := []column{
		{"first s", 2, func(r result) float64 { return r.Seconds[0] }},
		{"median s", 2, func(r result) float64 { return median(r.Seconds) }},
		{"last s", 2, result.last},
		{"× bound", 3, func(r result) float64 { return r.Ratio }},
		{"origin copies", 2, func(r result) float64 { return r.OriginCopies }},
		{"CPU s/GiB", 2, func(r result) float64 { return r.CPU }},
		{"peak RSS MiB", 0, func(r result) float64 { return float64(r.PeakRSS) / (1 << 20) }},
		{"machine busy %", 0, func(r result) float64 { return 100 * r.Busy }},
	}
	if c.Mesh {
		list = append(list,
			column{"cross copies", 2, func(r result) float64 { return r.CrossCopies }},
			column{"of payload", 2, func(r result) float64 { return r.CrossPayload }})
	}
	if c.Mesh || c.Cold {
		list = append(list, column{"wasted", 3, func(r result) float64 { return r.Wasted }})
	}
	return list
}

// writeTable writes a comparison as Markdown: medians over the runs, and from
// the least to the most in parentheses. Tools come in order of their last copy, or of
// their goodput, those without a good run last.
func writeTable(w io.Writer, c comparison) error {
	header := []string{"tool"}
	for _, col := range c.columns() {
		header = append(header, col.title)
	}
	rows := [][]string{append(header, "runs")}
	tools := slices.Clone(c.Tools)
	slices.SortStableFunc(tools, func(a, b toolResult) int { return cmp.Compare(a.order(), b.order()) })
	for _, t := range tools {
		runs := t.good()
		row := []string{t.Tool}
		for _, col := range c.columns() {
			values := make([]float64, len(runs))
			for i, r := range runs {
				values[i] = col.of(r)
			}
			row = append(row, spread(values, col.digits))
		}
		count := strconv.Itoa(len(runs))
		if n := len(t.Runs) - len(runs); n > 0 {
			count += fmt.Sprintf(", %d failed", n)
		}
		rows = append(rows, append(row, count))
	}
	_, err := io.WriteString(w, c.title()+"\n\n"+align(rows)+c.ratios())
	return err
}

// order is the median time of the last copy, or what sorts by the goodput across a line.
func (t toolResult) order() float64 {
	if runs := t.good(); len(runs) > 0 && runs[0].Line != nil {
		return -t.goodput()
	}
	if r, ok := t.typical(); ok {
		return r.last()
	}
	return 1e9
}

func (c comparison) title() string {
	what := fmt.Sprintf("%.4g MiB", float64(c.Size)/(1<<20))
	switch {
	case c.Files > 0:
		what += fmt.Sprintf(" in %d files", c.Files)
	case c.Contents > 1:
		what += fmt.Sprintf(" in %d contents", c.Contents)
	}
	s := fmt.Sprintf("### %s: %s to %d node", c.Scenario, what, c.Nodes)
	if c.Nodes != 1 {
		s += "s"
	}
	if c.Bound > 0 {
		s += fmt.Sprintf(", bound %.2f s", c.Bound)
	}
	if c.Line != nil {
		s += ", " + c.Line.Text
	}
	return s
}

// spread is "median (least–most)".
func spread(values []float64, digits int) string {
	if len(values) == 0 || slices.Max(values) == 0 {
		return "–"
	}
	text := func(f float64) string { return strconv.FormatFloat(f, 'f', digits, 64) }
	if len(values) == 1 {
		return text(values[0])
	}
	return fmt.Sprintf("%s (%s–%s)", text(median(values)), text(slices.Min(values)), text(slices.Max(values)))
}

// median is the middle value, or the mean of the two in the middle.
func median(values []float64) float64 {
	v := slices.Sorted(slices.Values(values))
	if len(v) == 0 {
		return 0
	}
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// align writes rows, of which the first is the header, as a Markdown table that
// is also readable as it is.
func align(rows [][]string) string {
	width := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for n, row := range rows {
		for i, cell := range row {
			b.WriteString("| " + cell + strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell)+1))
		}
		b.WriteString("|\n")
		for i := 0; n == 0 && i < len(width); i++ {
			b.WriteString("|" + strings.Repeat("-", width[i]+2))
			if i == len(width)-1 {
				b.WriteString("|\n")
			}
		}
	}
	return b.String()
}
