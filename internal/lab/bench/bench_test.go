//go:build linux

package main

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal/internal/lab"
)

// The whole way, with the real binary: two nodes behind thin links.
func TestShoal(t *testing.T) {
	if err := lab.Available(); err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	binary, err := shoalBinary(t.Context(), "", dir)
	if err != nil {
		t.Fatal(err)
	}
	chosen, err := chooseTools(t.Context(), "shoal", io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	b := bench{
		options: options{tools: "shoal", runs: 1, size: 1 << 20, binary: binary, svg: dir, json: filepath.Join(dir, "out.json")},
		tools:   chosen, dir: dir, rep: newReport(), out: &table, progress: t.Output(),
	}
	d, err := findDesign("lan2")
	if err != nil {
		t.Fatal(err)
	}
	if err := b.compare(t.Context(), d); err != nil {
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
	r := rep.Scenarios[0].Tools[0].Runs[0]
	switch {
	case r.Failure != "" || rep.failures() != 0:
		t.Error(r.Failure)
	case len(r.Seconds) != 2, r.Ratio < 1, r.OriginCopies < 0.9, r.OriginCopies > 2.2, r.CPU <= 0, r.PeakRSS < 1<<20:
		t.Errorf("%+v", r)
	case !strings.Contains(table.String(), "| shoal |"):
		t.Errorf("the table is\n%s", table.String())
	}
	if _, err := os.Stat(filepath.Join(dir, "bench-lan2.svg")); err != nil {
		t.Error(err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "lan2-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, error %v", left, err)
	}
}

func TestChooseTools(t *testing.T) {
	if _, err := chooseTools(t.Context(), "shoal,typo", io.Discard); err == nil || !strings.Contains(err.Error(), `"typo"`) {
		t.Errorf("an unknown tool: error %v", err)
	}
	all, err := chooseTools(t.Context(), "", t.Output())
	if err != nil || len(all) == 0 || all[0].name != "shoal" {
		t.Errorf("all that are here: %v, error %v", all, err)
	}
}

func TestParse(t *testing.T) {
	for _, bad := range [][]string{{"-runs", "0"}, {"-size", "-1"}, {"-size", "much"}, {"lan16"}} {
		if _, err := parse(bad, io.Discard); err == nil {
			t.Errorf("%v: no error", bad)
		}
	}
	o, err := parse([]string{"-scenario", "lan4,solo", "-size", "4MiB", "-runs", "2"}, io.Discard)
	if err != nil || o.size != 4<<20 || o.runs != 2 {
		t.Errorf("%+v, error %v", o, err)
	}
}

// The share of the CPUs' time between two moments.
func TestBusy(t *testing.T) {
	if got := (cpuTicks{60, 200}).since(cpuTicks{10, 100}); got != 0.5 {
		t.Errorf("got %v, want 0.5", got)
	}
	if got := (cpuTicks{10, 100}).since(cpuTicks{10, 100}); got != 0 {
		t.Errorf("in no time: %v", got)
	}
	before, err := readCPU()
	if err != nil || before.all == 0 || before.busy > before.all {
		t.Errorf("%+v, error %v", before, err)
	}
	for end := time.Now().Add(50 * time.Millisecond); time.Now().Before(end); { // busy on purpose
	}
	after, err := readCPU()
	if err != nil || after.busy <= before.busy {
		t.Errorf("%+v after %+v, error %v", after, before, err)
	}
}
