package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/netprobe"
)

// pathReport is a path as --json prints it; every key is always there.
type pathReport struct {
	Node        string             `json:"node"` // its name; "" for an address
	Address     string             `json:"address"`
	Transport   netprobe.Transport `json:"transport"`
	RTT         rttReport          `json:"rtt"`
	Down        transferReport     `json:"down"`
	Up          transferReport     `json:"up"`
	Recommended bool               `json:"recommended"` // among the node's paths
	Why         string             `json:"why"`         // why it is recommended; "" where it is not
	Error       string             `json:"error"`       // why nothing was measured; "" where something was
}

// rttReport is in seconds; null is unknown.
type rttReport struct {
	Min    *float64 `json:"min"`
	Median *float64 `json:"median"`
}

type transferReport struct {
	Goodput *int64   `json:"goodput"` // bytes/s; null is unknown
	Loss    *float64 `json:"loss"`    // 0 to 1; null is unknown
	Bytes   int64    `json:"bytes"`
	Seconds float64  `json:"seconds"`
	Error   string   `json:"error"`
}

// newProbeReport has the paths of each subject, in order, with one recommended.
func newProbeReport(here shoal.Locality, subjects []subject, results []netprobe.Result) []pathReport {
	byTarget := map[netprobe.Target][]netprobe.Result{}
	for _, r := range results {
		byTarget[r.Target] = append(byTarget[r.Target], r)
	}
	var report []pathReport
	for _, s := range subjects {
		var own []netprobe.Result
		for _, t := range s.targets {
			own = append(own, byTarget[t]...)
			delete(byTarget, t) // listed twice
		}
		use, why := netprobe.Recommend(here, s.place, own)
		fastest := fastestOver(use, own)
		for i, r := range own {
			p := newPathReport(s.name, r)
			if i == fastest {
				p.Recommended, p.Why = true, why
			}
			report = append(report, p)
		}
	}
	return report
}

// fastestOver is the index of the best result over a transport, -1 for none.
func fastestOver(tr netprobe.Transport, results []netprobe.Result) int {
	best := -1
	faster := func(a, b netprobe.Result) bool {
		if a.Down.Goodput != b.Down.Goodput {
			return a.Down.Goodput > b.Down.Goodput
		}
		return a.Up.Goodput > b.Up.Goodput
	}
	for i, r := range results {
		if r.Transport == tr && r.Err == nil && (best < 0 || faster(r, results[best])) {
			best = i
		}
	}
	return best
}

func newPathReport(name string, r netprobe.Result) pathReport {
	p := pathReport{Node: name, Address: r.URL, Transport: r.Transport, Error: reason(r.Path, r.Err)}
	if r.RTT.Min > 0 {
		p.RTT = rttReport{Min: new(r.RTT.Min.Seconds()), Median: new(r.RTT.Median.Seconds())}
	}
	p.Down, p.Up = newTransferReport(r.Path, r.Down), newTransferReport(r.Path, r.Up)
	return p
}

func newTransferReport(p netprobe.Path, t netprobe.Transfer) transferReport {
	r := transferReport{Bytes: t.Bytes, Seconds: t.Time.Seconds(), Error: reason(p, t.Err)}
	if t.Goodput > 0 {
		r.Goodput = new(int64(t.Goodput))
	}
	if ratio, ok := t.Loss.Ratio(); ok {
		r.Loss = new(ratio)
	}
	return r
}

// reason is an error without the path that it is about.
func reason(p netprobe.Path, err error) string {
	if err == nil {
		return ""
	}
	return oneLine(strings.TrimPrefix(err.Error(), "probe "+p.String()+": "))
}

func probeTable(w io.Writer, report []pathReport) error {
	t := newTable(w, "NODE", "ADDRESS", "TRANSPORT", "RTT", "LOSS", "DOWN", "UP", "USE", "WHY")
	for _, p := range report {
		use := ""
		if p.Recommended {
			use = "yes"
		}
		t.row(p.Node, p.Address, string(p.Transport), rttText(p.RTT), lossText(p), speedText(p.Down), speedText(p.Up), use, whyText(p))
	}
	return t.flush()
}

// rttText is the least one: that of the path without queues.
func rttText(r rttReport) string {
	if r.Min == nil {
		return ""
	}
	return time.Duration(*r.Min * float64(time.Second)).Round(10 * time.Microsecond).String()
}

// lossText is that of the download, where it is known.
func lossText(p pathReport) string {
	loss := p.Down.Loss
	if loss == nil {
		loss = p.Up.Loss
	}
	if loss == nil {
		return ""
	}
	return fmt.Sprintf("%.1f%%", 100**loss)
}

func speedText(t transferReport) string {
	switch {
	case t.Error != "":
		return "failed"
	case t.Goodput == nil:
		return ""
	}
	return rateText(shoal.Rate(*t.Goodput))
}

// whyText says why a path is recommended and what failed on it.
func whyText(p pathReport) string {
	var parts []string
	for _, s := range []string{p.Why, p.Error, p.Down.Error, p.Up.Error} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, "; ")
}
