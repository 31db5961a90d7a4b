//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/shoal-cdn/shoal"
)

// publishUpload prints a comparison of uploads as Markdown, medians over the
// runs, and writes the file that was asked for.
func (b *bench) publishUpload(c uploadComparison) error {
	fmt.Fprintf(b.out, "### upload\n\n%s; %s\n\n", c.About, shoal.Size(c.Size).Short())
	fmt.Fprintln(b.out, "| way | upload s | × bound | server, protocol | probing s | sent/size | last node after it s | % of the upload | client CPU s |")
	fmt.Fprintln(b.out, "|---|---|---|---|---|---|---|---|---|")
	for _, tool := range c.tools() {
		rows := c.good(tool)
		if len(rows) == 0 {
			fmt.Fprintf(b.out, "| %s | failed | | | | | | | |\n", tool)
			continue
		}
		m := func(of func(uploadRow) float64) float64 {
			var all []float64
			for _, r := range rows {
				all = append(all, of(r))
			}
			return median(all)
		}
		upload, tail := m(func(r uploadRow) float64 { return r.Upload }), m(func(r uploadRow) float64 { return r.Tail })
		after, share := "", ""
		if tail > 0 {
			after, share = fmt.Sprintf("%.2f", tail), fmt.Sprintf("%.1f", 100*tail/upload)
		}
		var chosen []string
		for _, r := range rows {
			chosen = append(chosen, r.Server+" "+r.Transport)
		}
		fmt.Fprintf(b.out, "| %s | %.2f | %.3f | %s | %.1f | %.3f | %s | %s | %.1f |\n", tool, upload, upload/rows[0].Bound, strings.Join(chosen, ", "),
			m(func(r uploadRow) float64 { return r.Probe }), m(func(r uploadRow) float64 { return float64(r.Sent) / float64(c.Size) }),
			after, share, m(func(r uploadRow) float64 { return r.CPU }))
	}
	fmt.Fprintln(b.out)
	if b.json == "" {
		return nil
	}
	text, err := json.MarshalIndent(b.rep, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(b.json, append(text, '\n'), 0o644)
}

// tools are the ways that were compared, in order.
func (c uploadComparison) tools() []string {
	var names []string
	seen := map[string]bool{}
	for _, r := range c.Rows {
		if !seen[r.Tool] {
			seen[r.Tool] = true
			names = append(names, r.Tool)
		}
	}
	return names
}

// good are the runs of a way that count.
func (c uploadComparison) good(tool string) []uploadRow {
	var rows []uploadRow
	for _, r := range c.Rows {
		if r.Tool == tool && r.Failure == "" {
			rows = append(rows, r)
		}
	}
	return rows
}
