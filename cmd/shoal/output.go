package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/shoal-cdn/shoal"
)

// printJSON writes v as one indented JSON value.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// listJSON is printJSON for a list: none of it is [], not null.
func listJSON[T any](w io.Writer, list []T) error {
	if list == nil {
		list = []T{}
	}
	return printJSON(w, list)
}

// table writes rows below headings in aligned columns.
type table struct {
	out  *tabwriter.Writer
	cols int
}

func newTable(w io.Writer, headings ...string) *table {
	t := &table{out: tabwriter.NewWriter(w, 0, 0, 2, ' ', 0), cols: len(headings)}
	t.row(headings...)
	return t
}

func (t *table) row(cells ...string) {
	if len(cells) != t.cols {
		panic(fmt.Sprintf("table: %d cells in %d columns", len(cells), t.cols))
	}
	for i, c := range cells {
		cells[i] = cell(c)
	}
	fmt.Fprintln(t.out, strings.TrimRight(strings.Join(cells, "\t"), "\t"))
}

func (t *table) flush() error { return t.out.Flush() }

// cell keeps what another machine sent, such as a name with a tab or an
// escape sequence, from moving columns or steering the terminal.
func cell(s string) string {
	if s == "" {
		return "-"
	}
	return printable(s)
}

func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || (r >= 0x7f && r < 0xa0) {
			return '?'
		}
		return r
	}, s)
}

func bytesText(n int64) string { return shoal.Size(n).Short() }

func rateText(r shoal.Rate) string {
	if r <= 0 {
		return ""
	}
	return r.Short()
}

// secondsText is a duration to the precision a person cares for.
func secondsText(s float64) string {
	d := time.Duration(s * float64(time.Second))
	switch {
	case d < 10*time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

// ago is how long before now t was.
func ago(now, t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	d := now.Sub(t)
	switch {
	case d < time.Second:
		return "now"
	case d < time.Minute:
		return fmt.Sprintf("%ds ago", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm ago", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh ago", d/time.Hour)
	}
	return fmt.Sprintf("%dd ago", d/(24*time.Hour))
}

func percent(done, total int64) float64 {
	if total <= 0 {
		return 100
	}
	return 100 * float64(done) / float64(total)
}

// percentText rounds down: 100 % means that nothing is missing.
func percentText(done, total int64) string {
	return fmt.Sprintf("%d%%", int(percent(done, total)))
}

func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}
