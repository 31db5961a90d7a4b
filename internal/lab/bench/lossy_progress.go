//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// gauge is a driver that can say how much of a content has arrived.
type gauge interface {
	// received is how many bytes of a content a member has now.
	received(ctx context.Context, m member, c content) (int64, error)
}

// sampleEvery is the time between two looks at what has arrived.
const sampleEvery = 50 * time.Millisecond

// progress is what the nodes had, all together, at moments since their orders.
// Both ascend.
type progress []reading

type reading struct {
	at    time.Duration
	bytes int64
}

// add notes a look, unless it shows nothing new.
func (p *progress) add(at time.Duration, bytes int64) {
	if n := len(*p); n > 0 && bytes <= (*p)[n-1].bytes || bytes == 0 {
		return
	}
	*p = append(*p, reading{at, bytes})
}

// lineResult is what crossed a line.
type lineResult struct {
	Received int64   `json:"received_bytes"`
	Seconds  float64 `json:"seconds"`       // until the last copy, or the end of a run that was cut
	First    float64 `json:"first_seconds"` // until the first bytes had arrived
	Goodput  float64 `json:"goodput"`       // received in all the time, as a share of the line's payload rate
	Steady   float64 `json:"steady"`        // the same from a quarter of the bytes on, or since TCP was replaced
	Silence  float64 `json:"silence"`       // longest time without new bytes after the first; where TCP is blocked, after that
	Sent     float64 `json:"sent"`          // bytes put on the line, as payload, for each that was received
	Copies   int     `json:"copies"`        // that are complete
}

// result is what the progress until end shows about a line.
func (p progress) result(l line, end time.Duration) lineResult {
	if len(p) == 0 {
		return lineResult{Seconds: end.Seconds(), Silence: end.Seconds()}
	}
	total := p[len(p)-1].bytes
	r := lineResult{Received: total, Seconds: end.Seconds(), First: p[0].at.Seconds()}
	r.Goodput = float64(total) / end.Seconds() / l.payload()
	silence, after := p.silence(l.tcpEnds, end)
	r.Silence = silence.Seconds()
	from := after
	if l.tcpEnds == 0 {
		from = p.quarter()
	}
	if from.at < end {
		r.Steady = float64(total-from.bytes) / (end - from.at).Seconds() / l.payload()
	}
	return r
}

// silence is the longest time without anything new after from, and what it
// ended with.
func (p progress) silence(from, end time.Duration) (longest time.Duration, after reading) {
	last := max(from, p[0].at)
	after = p[0]
	for _, s := range append(p[1:len(p):len(p)], reading{end, p[len(p)-1].bytes}) {
		if gap := s.at - last; gap > longest {
			longest, after = gap, s
		}
		last = max(last, s.at)
	}
	return longest, after
}

// quarter is the first look that showed a quarter of what came in the end.
func (p progress) quarter() reading {
	for _, s := range p {
		if 4*s.bytes >= p[len(p)-1].bytes {
			return s
		}
	}
	return reading{}
}

// sample notes what has arrived until ctx ends.
func (t *trial) sample(ctx context.Context) error {
	g, ok := t.driver.(gauge)
	if !ok {
		return errors.New("this tool does not say how much has arrived")
	}
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		var bytes int64
		for _, m := range t.network.nodes {
			for _, c := range t.contents {
				n, err := g.received(ctx, m, c)
				if err != nil && ctx.Err() == nil {
					return fmt.Errorf("progress of %s: %w", m.name, err)
				}
				bytes += min(n, int64(c.size))
			}
		}
		if ctx.Err() == nil {
			t.progress.add(time.Since(t.began), bytes)
		}
	}
}

// lineResult puts together what crossed the line. The caller holds mu.
func (t *trial) lineResult(before, after measurement) *lineResult {
	end := after.at.Sub(t.began)
	copies := 0
	var last time.Time
	for _, at := range slices.Concat(t.finished...) {
		if at.IsZero() {
			continue
		}
		copies++
		if at.After(last) {
			last = at
		}
	}
	if copies == len(t.finished)*len(t.contents) {
		end = last.Sub(t.began)
		t.progress.add(end, int64(t.scenario.size)*int64(len(t.finished)))
	}
	r := t.progress.result(*t.scenario.line, end)
	r.Copies = copies
	if r.Received > 0 {
		r.Sent = float64(after.line-before.line) * linePayload / float64(r.Received)
	}
	return &r
}
