package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/shoal-cdn/shoal/tracker/api"
)

// printMatrix shows the lines between carriers: a row for each that sends, a column
// for each that receives.
func printMatrix(ctx context.Context, w io.Writer, c *api.Client, asJSON bool) error {
	top, err := c.Topology(ctx)
	if err != nil {
		return failed("show the lines between carriers", "", err)
	}
	if asJSON {
		return printJSON(w, top)
	}
	if len(top.Paths) == 0 {
		fmt.Fprintln(w, "no node has sent anything to another carrier yet")
		return nil
	}
	type ends struct{ from, to string }
	paths := make(map[ends]api.PathSeen, len(top.Paths))
	for _, p := range top.Paths {
		paths[ends{p.From, p.To}] = p
	}
	fmt.Fprintln(w, "from the carrier of the row to that of the column: round trip, loss, goodput, bytes so far")
	t := newTable(w, append([]string{"FROM"}, top.Carriers...)...)
	for _, from := range top.Carriers {
		row := []string{from}
		for _, to := range top.Carriers {
			p, ok := paths[ends{from, to}]
			row = append(row, pathText(p, ok))
		}
		t.row(row...)
	}
	return t.flush()
}

const unknownText = "–"

// pathText is "61ms 0.9% 18Mbit 16MiB", with a dash for what is not known.
func pathText(p api.PathSeen, known bool) string {
	if !known {
		return unknownText
	}
	rtt, loss, goodput := unknownText, unknownText, unknownText
	if p.RTT > 0 {
		rtt = tripText(p.RTT)
	}
	if p.Loss != nil {
		loss = fmt.Sprintf("%.1f%%", 100**p.Loss)
	}
	if p.Goodput > 0 {
		goodput = p.Goodput.Short()
	}
	return strings.Join([]string{rtt, loss, goodput, bytesText(p.Bytes)}, " ")
}

// tripText is a round trip in milliseconds, finer where it is short.
func tripText(ms float64) string {
	precision := time.Millisecond
	if ms < 10 {
		precision = 100 * time.Microsecond
	}
	return time.Duration(ms * float64(time.Millisecond)).Round(precision).String()
}
