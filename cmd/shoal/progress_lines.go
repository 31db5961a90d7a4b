package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// linesEvery is the least time between two lines that only tell of progress.
const linesEvery = 2 * time.Second

// lines is the display where there is no terminal: a line for each change of
// a job's note, and one for all that moved every two seconds.
type lines struct {
	w      io.Writer
	notes  map[string]string
	speeds map[string]*speed
	last   time.Time
	before string // the last line of progress, which is not repeated
}

func newLines(w io.Writer) *lines {
	return &lines{w: w, notes: map[string]string{}, speeds: map[string]*speed{}}
}

func (l *lines) show(gauges []gauge) {
	gauges = collapse(gauges)
	now := time.Now()
	due := now.Sub(l.last) >= linesEvery
	var moving []gauge
	for _, g := range gauges {
		s := l.speeds[g.name]
		if s == nil {
			s = &speed{}
			l.speeds[g.name] = s
		}
		text := gaugeText(g, s.read(now, g.done))
		before, known := l.notes[g.name]
		l.notes[g.name] = g.note
		changed := before != g.note && len(gauges) <= maxGauges
		switch {
		case changed && (known || g.ended || g.note != ""):
			fmt.Fprintf(l.w, "%s: %s\n", nameOf(g), text)
		case !g.ended:
			moving = append(moving, g)
		}
	}
	line := l.progress(moving)
	if due && line != "" && line != l.before {
		fmt.Fprintln(l.w, line)
		l.last, l.before = now, line
	}
}

// progress is one line for the jobs that go on: all that is known of one, and
// the essence of several.
func (l *lines) progress(moving []gauge) string {
	if len(moving) == 1 {
		g := moving[0]
		return nameOf(g) + ": " + gaugeText(g, l.speeds[g.name].last())
	}
	parts := make([]string, len(moving))
	for i, g := range moving {
		parts[i] = nameOf(g) + " " + percentText(g.done, g.total)
		if r := l.speeds[g.name].last(); r > 0 {
			parts[i] += " " + bytesText(int64(r)) + "/s"
		}
	}
	return strings.Join(parts, ", ")
}

func (l *lines) say(format string, args ...any) { fmt.Fprintf(l.w, format+"\n", args...) }

func (l *lines) close() {}
