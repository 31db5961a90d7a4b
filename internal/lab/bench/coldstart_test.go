//go:build linux

package main

import (
	"io"
	"math"
	"testing"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/internal/lab"
)

// Nobody has the content but a web server, with the real binary: the nodes get it,
// and what left the server is what the figures say.
func TestCold(t *testing.T) {
	if err := lab.Available(); err != nil {
		t.Skip(err)
	}
	chosen, err := chooseTools(t.Context(), "shoal,http", t.Output())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	binary, err := shoalBinary(t.Context(), "", dir)
	if err != nil {
		t.Fatal(err)
	}
	b := bench{
		options: options{tools: "shoal,http", runs: 1, binary: binary},
		tools:   chosen, dir: dir, rep: newReport(), out: io.Discard, progress: t.Output(),
	}
	d := design{"cold", "a cold start", 1 << 20, func(shoal.Size) scenario {
		s := cold(2, coldRate)
		s.nodes[0].link, s.nodes[1].link = s.origin, s.origin
		return s
	}}
	if err := b.compare(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	for _, tool := range b.rep.Scenarios[0].Tools {
		r := tool.Runs[0]
		least := 1.0
		if tool.Tool == "http" {
			least = 2
		}
		if r.Failure != "" || len(r.Seconds) != 2 || r.OriginCopies < least*0.98 || r.OriginCopies > 2.2 {
			t.Errorf("%s: %+v", tool.Tool, r)
		}
	}
}

func TestColdScenarios(t *testing.T) {
	for _, c := range []struct {
		name  string
		bound float64 // of 8 MiB at the nodes' wire rate, seconds
		free  bool    // no leases
	}{
		{"coldstart60", 35.09, false},
		{"coldstart60@1", 70.17, false},
		{"coldstart60-nolease", 35.09, true},
		{"coldstart60-nolease@4", 17.54, true},
	} {
		s := mustFind(t, c.name, 0)
		if got := s.bound().Seconds(); !s.cold || len(s.nodes) != 60 || math.Abs(got-c.bound) > 0.01 || s.origin.up != 10*s.nodes[0].up {
			t.Errorf("%s: %d nodes, bound %.2f s", c.name, len(s.nodes), got)
		}
		if got := len(trackerArgs(s)) > 0; got != c.free {
			t.Errorf("%s: the tracker's flags are %q", c.name, trackerArgs(s))
		}
	}
}
