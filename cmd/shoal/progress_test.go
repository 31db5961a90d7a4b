package main

import (
	"bytes"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// Where there is no terminal, a line appears when a job's note changes, and
// otherwise at most every two seconds and only when something moved.
func TestLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		l := newLines(&out)
		expect := func(want string) {
			t.Helper()
			if out.String() != want {
				t.Errorf("printed %q, want %q", out.String(), want)
			}
			out.Reset()
		}
		show := func(after time.Duration, done int64, note string, ended bool) {
			time.Sleep(after)
			l.show([]gauge{{name: "n1", done: done << 20, total: 100 << 20, note: note, ended: ended}})
		}
		show(0, 0, "running", false)
		expect("n1: 0% 0B/100MiB running\n")
		show(500*time.Millisecond, 5, "running", false) // the first line of progress is due at once
		expect("n1: 5% 5MiB/100MiB 10MiB/s running\n")
		show(500*time.Millisecond, 10, "running", false)
		show(time.Second, 20, "running", false)
		expect("")
		show(500*time.Millisecond, 25, "running", false)
		expect("n1: 25% 25MiB/100MiB 10MiB/s running\n")
		show(2*time.Second, 100, "succeeded", true)
		expect("n1: 100% 100MiB/100MiB succeeded\n")
		show(5*time.Second, 100, "succeeded", true)
		expect("")
	})
}

func TestLinesSumUpManyJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		l := newLines(&out)
		gauges := make([]gauge, 1000)
		for i := range gauges {
			gauges[i] = gauge{name: fmt.Sprint("n", i), done: 1 << 20, total: 2 << 20, note: "running"}
		}
		gauges[0] = gauge{name: "n0", done: 2 << 20, total: 2 << 20, note: "succeeded", ended: true}
		l.show(gauges)
		if got, want := out.String(), "all 1000: 50% 1001MiB/1.95GiB 1 ended\n"; got != want {
			t.Errorf("printed %q, want %q", got, want)
		}
	})
}

func TestSpeed(t *testing.T) {
	start := time.Unix(1000, 0)
	at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	var s speed
	if r := s.read(at(0), 500); r != 0 {
		t.Errorf("one reading is %v, want 0", r)
	}
	if r := s.read(at(100), 600); r != 0 {
		t.Errorf("readings too near are %v, want 0", r)
	}
	if r := s.read(at(1000), 1500); r != 1000 {
		t.Errorf("rate %v B/s, want 1000", int64(r))
	}
	if r := s.read(at(2000), 1500); r != 500 {
		t.Errorf("rate %v B/s after a second's standstill, want 500", int64(r))
	}
	if r := s.read(at(3000), 0); r != 0 {
		t.Errorf("rate %v B/s of a job that starts over, want 0", int64(r))
	}
}

func TestTexts(t *testing.T) {
	now := time.Unix(1e6, 0)
	for _, tt := range []struct{ got, want string }{
		{percentText(1999, 2000), "99%"}, // 100 % means that nothing is missing
		{percentText(0, 0), "100%"},
		{secondsText(1.234), "1.23s"},
		{secondsText(28.149), "28.1s"},
		{secondsText(3723.4), "1h2m3s"},
		{ago(now, time.Time{}), "never"},
		{ago(now, now.Add(time.Minute)), "now"}, // clocks differ
		{ago(now, now.Add(-90*time.Second)), "1m ago"},
		{ago(now, now.Add(-49*time.Hour)), "2d ago"},
		{plural(1, "node"), "1 node"},
		{plural(0, "node"), "0 nodes"},
		{cell(""), "-"},
		{cell("a\tb\x1b[2J\u009b"), "a?b?[2J?"},
	} {
		if tt.got != tt.want {
			t.Errorf("%q, want %q", tt.got, tt.want)
		}
	}
}
