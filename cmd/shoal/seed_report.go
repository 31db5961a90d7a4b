package main

import (
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/upload"
)

// writeUploadTables prints the figures behind an upload: the speeds measured to
// each candidate, and what each connection carried.
func writeUploadTables(w io.Writer, rep upload.Report) error {
	fmt.Fprintf(w, "hashing %s, measuring %s beside it; %s over %s: %s\n",
		secondsText(rep.HashSeconds), secondsText(rep.ProbeSeconds), printable(rep.Server), rep.Transport, rep.Why)
	t := newTable(w, "SERVER", "URL", "TRANSPORT", "RTT", "UP", "WHY")
	for _, c := range rep.Candidates {
		rtt := ""
		if c.RTT > 0 {
			rtt = time.Duration(c.RTT * float64(time.Second)).Round(10 * time.Microsecond).String()
		}
		t.row(c.Server, c.URL, string(c.Transport), rtt, rateText(c.Up), oneLine(c.Error))
	}
	if err := t.flush(); err != nil {
		return err
	}
	t = newTable(w, "CONNECTION", "SERVER", "TRANSPORT", "SPEED", "SENT", "REQUESTS", "SMALLEST", "LARGEST", "FAILED")
	for _, c := range rep.Connections {
		t.row(strconv.Itoa(c.Number), c.Server, string(c.Transport), rateText(shoal.Rate(c.Speed)), bytesText(c.Bytes),
			strconv.Itoa(c.Requests), bytesText(c.Least), bytesText(c.Most), strconv.Itoa(c.Failures))
	}
	if err := t.flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "%s sent, %s of it again, %s refused, %s; %s was there before\n", bytesText(rep.Sent), bytesText(rep.Resent),
		plural(rep.Refused, "chunk"), plural(rep.Breaks, "break"), bytesText(rep.Had))
	return nil
}
