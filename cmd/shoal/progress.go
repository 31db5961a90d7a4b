package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/shoal-cdn/shoal"
)

// gauge says how far one of several parallel jobs is.
type gauge struct {
	name        string
	done, total int64  // bytes
	note        string // its state, such as "running"; changes seldom
	ended       bool   // nothing will change any more
}

// display shows gauges while they move. Its methods are called from one
// goroutine.
type display interface {
	// show brings the display up to date; gauges keep their order and names
	// from call to call, but there may be more of them later.
	show([]gauge)
	// say prints a line that stays.
	say(format string, args ...any)
	// close leaves the last state readable and gives the terminal back. It may
	// be called twice.
	close()
}

// maxGauges is how many are shown one by one; a terminal has few lines.
const maxGauges = 16

// newDisplay picks bars for a terminal and plain lines for anything else.
func newDisplay(ctx context.Context, w io.Writer) display {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return newBars(ctx, f)
	}
	return newLines(w)
}

// collapse turns more gauges than fit into one that sums them up.
func collapse(gauges []gauge) []gauge {
	if len(gauges) <= maxGauges {
		return gauges
	}
	all := gauge{name: fmt.Sprintf("all %d", len(gauges)), ended: true}
	ended := 0
	for _, g := range gauges {
		all.done += g.done
		all.total += g.total
		all.ended = all.ended && g.ended
		if g.ended {
			ended++
		}
	}
	all.note = fmt.Sprintf("%d ended", ended)
	return []gauge{all}
}

// speed smooths how fast a gauge moves.
type speed struct {
	at   time.Time
	done int64
	rate float64 // bytes/s
}

// Readings nearer to each other than this say little.
const minReading = 200 * time.Millisecond

// read takes a reading and returns the smoothed rate. A job that starts over
// starts a new measurement.
func (s *speed) read(now time.Time, done int64) shoal.Rate {
	d := now.Sub(s.at)
	switch {
	case s.at.IsZero() || done < s.done:
		*s = speed{at: now, done: done}
	case d >= minReading:
		const settle = 2 * time.Second
		weight := min(1, float64(d)/float64(settle))
		if s.rate == 0 {
			weight = 1
		}
		s.rate += weight * (float64(done-s.done)/d.Seconds() - s.rate)
		s.at, s.done = now, done
	}
	return s.last()
}

// last is the rate as of the last reading.
func (s *speed) last() shoal.Rate { return shoal.Rate(s.rate) }

// gaugeText is what stands behind the name: "42% 107MiB/256MiB 25.1MiB/s running".
func gaugeText(g gauge, r shoal.Rate) string {
	if g.total <= 0 && !g.ended { // not known yet
		return printable(g.note)
	}
	s := fmt.Sprintf("%s %s/%s", percentText(g.done, g.total), bytesText(g.done), bytesText(g.total))
	if r > 0 && !g.ended {
		s += " " + bytesText(int64(r)) + "/s"
	}
	if note := printable(g.note); note != "" {
		s += " " + note
	}
	return s
}

// estimate is the bytes in held of so many pieces. It is not exact, since the
// last piece of a file is shorter than the others.
func estimate(size int64, held, pieces int) int64 {
	return int64(float64(size) * float64(held) / float64(pieces))
}

func nameOf(g gauge) string { return cmp.Or(printable(g.name), "-") }
