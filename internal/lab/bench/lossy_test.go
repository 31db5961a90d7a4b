//go:build linux

package main

import (
	"encoding/json"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal/internal/lab"
	"github.com/shoal-cdn/shoal/internal/lab/linkem"
)

func TestProgress(t *testing.T) {
	const ms = time.Millisecond
	// 1000 bytes/s of payload.
	l := line{Config: linkem.Config{Rate: 1500, Loss: 0.5}}
	scale := 1000 / l.payload()
	noTCP := l
	noTCP.tcpEnds = 3 * time.Second
	steps := func(from, to time.Duration, first, last int64) (p progress) {
		n := int64((to - from) / (100 * ms))
		for i := range n + 1 {
			p = append(p, reading{from + time.Duration(i)*100*ms, first + (last-first)*i/n})
		}
		return p
	}
	for _, c := range []struct {
		name string
		line line
		p    progress
		end  time.Duration
		want lineResult // Goodput and Steady in units of 1000 bytes/s
	}{
		{"nothing came", l, nil, 30 * time.Second, lineResult{Seconds: 30, Silence: 30}},
		{"half rate, after a second", l, steps(1100*ms, 5000*ms, 50, 2000), 5 * time.Second,
			lineResult{Received: 2000, Seconds: 5, First: 1.1, Goodput: 0.4, Steady: 0.5, Silence: 0.1}},
		{"cut in silence", l, steps(100*ms, 2000*ms, 50, 1000), 5 * time.Second,
			lineResult{Received: 1000, Seconds: 5, First: 0.1, Goodput: 0.2, Steady: 0.75 / 4.5, Silence: 3}},
		{"TCP is replaced", noTCP, append(steps(100*ms, 3000*ms, 100, 3000), steps(5000*ms, 9000*ms, 3100, 5100)...), 9 * time.Second,
			lineResult{Received: 5100, Seconds: 9, First: 0.1, Goodput: 5.1 / 9, Steady: 0.5, Silence: 2}},
		{"TCP is not replaced", noTCP, steps(100*ms, 3000*ms, 100, 3000), 60 * time.Second,
			lineResult{Received: 3000, Seconds: 60, First: 0.1, Goodput: 0.05, Silence: 57}},
		{"a silence before TCP ends", noTCP, append(steps(100*ms, 200*ms, 100, 200), steps(2900*ms, 9000*ms, 300, 6400)...), 9 * time.Second,
			lineResult{Received: 6400, Seconds: 9, First: 0.1, Goodput: 6.4 / 9, Steady: 1, Silence: 0.1}},
	} {
		got := c.p.result(c.line, c.end)
		got.Goodput, got.Steady = got.Goodput/scale, got.Steady/scale
		for _, f := range []struct {
			name      string
			got, want float64
		}{
			{"received", float64(got.Received), float64(c.want.Received)}, {"seconds", got.Seconds, c.want.Seconds},
			{"first", got.First, c.want.First}, {"goodput", got.Goodput, c.want.Goodput},
			{"steady", got.Steady, c.want.Steady}, {"silence", got.Silence, c.want.Silence},
		} {
			if math.Abs(f.got-f.want) > 1e-6 {
				t.Errorf("%s: %s is %g, want %g", c.name, f.name, f.got, f.want)
			}
		}
	}
}

// Looks that show nothing new leave no trace: silence is the time between two that do.
func TestProgressAdd(t *testing.T) {
	var p progress
	for i, bytes := range []int64{0, 0, 5, 5, 7, 6, 7, 8} {
		p.add(time.Duration(i), bytes)
	}
	if want := (progress{{2, 5}, {4, 7}, {7, 8}}); !slices.Equal(p, want) {
		t.Errorf("got %v, want %v", p, want)
	}
}

func TestLineScenarios(t *testing.T) {
	all, err := chooseDesigns("lossy")
	if err != nil || len(all) != 6 {
		t.Fatalf("lossy: %d designs, error %v; want 6", len(all), err)
	}
	for _, d := range all {
		s := d.scenario(0)
		// 50 Mbit/s carry 48.27 Mbit/s of payload.
		if want := float64(s.size) / 6_033_333; math.Abs(s.bound().Seconds()-want) > 0.01 || s.patience() < s.line.limit {
			t.Errorf("%s: bound %v, want %.2f s; patience %v", s.name, s.bound(), want, s.patience())
		}
	}
	if got := mustFind(t, "lossy-30ms-1", 192<<20).line.limit; got != time.Minute {
		t.Errorf("twice the size has %v, want a minute", got)
	}
	want := []event{{0, arrives, []int{0}}, {3 * time.Second, loseTCP, nil}}
	if got := mustFind(t, "lossy-notcp", 0).plan(); !reflect.DeepEqual(got, want) {
		t.Errorf("lossy-notcp: plan %v, want %v", got, want)
	}
}

// A table of a scenario with a line, where one tool's runs were cut.
func TestLineTable(t *testing.T) {
	const want = `### lossy: 1 MiB to 1 node, bound 2.00 s, a line

| tool  | goodput % | steady % | first bytes s | longest silence s | MiB | in s  | sent/received | CPU s/GiB | machine busy % | runs |
|-------|-----------|----------|---------------|-------------------|-----|-------|---------------|-----------|----------------|------|
| shoal | 96.0      | 98.0     | 0.25          | 0.20              | 1.0 | 2.08  | 1.02          | –         | –              | 1    |
| curl  | 4.0       | 4.1      | 0.25          | 0.20              | 0.5 | 30.00 | 1.02          | –         | –              | 1    |

Goodput of shoal: 24 × curl
`
	run := func(goodput, steady, seconds float64, bytes int64, copies ...float64) []result {
		return []result{{Seconds: copies, Line: &lineResult{
			Received: bytes, Seconds: seconds, First: 0.25, Goodput: goodput, Steady: steady, Silence: 0.2, Sent: 1.02,
		}}}
	}
	c := comparison{
		Scenario: "lossy", Nodes: 1, Size: 1 << 20, Contents: 1, Bound: 2, Line: &lineAbout{Text: "a line"},
		Tools: []toolResult{{Tool: "shoal", Runs: run(0.96, 0.98, 2.08, 1<<20, 2.08)}, {Tool: "curl", Runs: run(0.04, 0.041, 30, 1<<19)}},
	}
	var got strings.Builder
	if err := writeTable(&got, c); err != nil || got.String() != want {
		t.Errorf("error %v, got\n%s\nwant\n%s", err, got.String(), want)
	}
}

// A real line: what curl and UDT bring over it is measured, also where TCP ends on the way.
func TestLine(t *testing.T) {
	if err := lab.Available(); err != nil {
		t.Skip(err)
	}
	for _, c := range []struct {
		tools string
		line  line
	}{
		{"curl-bbr,udt", line{Config: linkem.Config{Rate: 20 * mbit, Delay: 5 * time.Millisecond, Loss: 0.001}, limit: 20 * time.Second}},
		{"curl-cubic", line{Config: linkem.Config{Rate: 4 * mbit, Delay: 5 * time.Millisecond}, tcpEnds: 500 * time.Millisecond, limit: 3 * time.Second}},
	} {
		t.Run(c.tools, func(t *testing.T) {
			chosen, err := chooseTools(t.Context(), c.tools, t.Output())
			if err != nil {
				t.Fatal(err)
			}
			if len(chosen) == 0 {
				t.Skip("none of the tools is installed")
			}
			dir := t.TempDir()
			b := bench{
				options: options{tools: c.tools, runs: 1, json: filepath.Join(dir, "out.json"), svg: dir},
				tools:   chosen, dir: dir, rep: newReport(), out: io.Discard, progress: t.Output(),
			}
			if err := b.compare(t.Context(), design{"line", "a line", 2 << 20, lossy(c.line, 2<<20)}); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(b.json)
			if err != nil {
				t.Fatal(err)
			}
			var rep report
			if err := json.Unmarshal(text, &rep); err != nil {
				t.Fatal(err)
			}
			for _, tool := range rep.Scenarios[0].Tools {
				r := tool.Runs[0]
				if r.Failure != "" {
					t.Errorf("%s: %s", tool.Tool, r.Failure)
					continue
				}
				t.Logf("%s: %v", tool.Tool, r.Line)
				whole := r.Line.Copies == 1 && r.Line.Received == 2<<20 && r.Line.Goodput > 0.1 && r.Line.Goodput < 1.05 && r.Line.Sent > 0.9
				cut := r.Line.Copies == 0 && r.Line.Received > 0 && r.Line.Received < 2<<20 && r.Line.Silence > 0.5 && r.Line.Silence < 2.8
				if c.line.tcpEnds == 0 && !whole || c.line.tcpEnds > 0 && !cut {
					t.Errorf("%s: %+v", tool.Tool, *r.Line)
				}
			}
		})
	}
}

// The congestion control that curl is served with is the one that was asked for, not the machine's.
func TestCongestion(t *testing.T) {
	l := lab.Start(t)
	isp, err := l.AddCarrier("isp")
	if err != nil {
		t.Fatal(err)
	}
	origin, err := l.AddHost("origin", lab.HostConfig{Carrier: isp})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"cubic", "bbr"} {
		if err := setRouteCongestion(t.Context(), origin, name); err != nil {
			t.Fatal(err)
		}
		out, err := origin.Command(t.Context(), "ip", "route", "show", "default").Output()
		if err != nil || !strings.Contains(string(out), "congctl "+name) {
			t.Errorf("%s: %s, error %v", name, out, err)
		}
	}
}
