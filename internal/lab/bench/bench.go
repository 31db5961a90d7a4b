//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/shoal-cdn/shoal"
)

// report is everything that was measured, as -json writes it.
type report struct {
	Machine   machine      `json:"machine"`
	Scenarios []comparison `json:"scenarios"`

	Uploads []uploadComparison `json:"uploads,omitempty"`
}

type machine struct {
	CPUs       int    `json:"cpus"`
	Kernel     string `json:"kernel"`
	Congestion string `json:"tcp_congestion_control"`
	Go         string `json:"go"`
}

// failures counts the runs that failed.
func (r report) failures() int {
	n := 0
	for _, c := range r.Scenarios {
		for _, t := range c.Tools {
			n += len(t.Runs) - len(t.good())
		}
	}
	for _, c := range r.Uploads {
		for _, row := range c.Rows {
			if row.Failure != "" {
				n++
			}
		}
	}
	return n
}

// installed is a tool that is here.
type installed struct {
	tool
	is string // its version
}

// chooseTools looks which of the tools are installed, of those named or of all. A missing
// one is left out, and said so.
func chooseTools(ctx context.Context, names string, progress io.Writer) ([]installed, error) {
	wanted := strings.Split(names, ",")
	var chosen []installed
	for _, t := range tools() {
		i := slices.Index(wanted, t.name)
		if i >= 0 {
			wanted = slices.Delete(wanted, i, i+1)
		} else if names != "" {
			continue
		}
		v, err := t.version(ctx)
		if err != nil {
			fmt.Fprintf(progress, "%s is left out: %v\n", t.name, err)
			continue
		}
		chosen = append(chosen, installed{t, v})
	}
	if names != "" && len(wanted) > 0 {
		return nil, fmt.Errorf("tool %q: %w: -list names them", wanted[0], shoal.ErrNotFound)
	}
	return chosen, nil
}

// bench runs comparisons and collects their results.
type bench struct {
	options
	tools    []installed
	dir      string // of all files
	rep      report
	out      io.Writer // tables
	progress io.Writer // what is going on
}

// compare runs a scenario with all tools that are chosen: each once, then each
// for a second time, and so on, so that what changes on the machine meanwhile
// meets all of them. What fails is counted and said; the rest goes on.
func (b *bench) compare(ctx context.Context, d design) (err error) {
	s := d.scenario(b.size)
	source, err := os.MkdirTemp(b.dir, "originals-")
	if err != nil {
		return err
	}
	left := leavings{many: s.files > 0}
	defer func() { err = errors.Join(err, left.remove(), os.RemoveAll(source)) }()
	contents, err := makeContents(source, s)
	if err != nil {
		return err
	}
	c := comparison{
		Scenario: s.name, About: d.about, Nodes: s.watched(), Size: int64(s.size),
		Contents: s.contents, Files: s.files, Bound: s.bound().Seconds(), Mesh: s.mesh != nil, Cold: s.cold,
	}
	if s.line != nil {
		c.Line = s.line.about()
	}
	var chosen []installed
	for _, t := range b.tools {
		if b.options.tools != "" || has(s.tools, t) {
			chosen = append(chosen, t)
			c.Tools = append(c.Tools, toolResult{Tool: t.name, Version: t.is})
		}
	}
	for n := range b.runs {
		for i, t := range chosen {
			r, err := setting{
				scenario: s, contents: contents, tool: t.tool, work: b.dir, discard: left.discard,
				stage: stage{shoal: b.binary, piece: b.piece},
			}.try(ctx)
			if ctx.Err() != nil {
				return errors.New("interrupted")
			}
			if err != nil {
				r = result{Failure: err.Error()}
			}
			c.Tools[i].Runs = append(c.Tools[i].Runs, r)
			fmt.Fprintf(b.progress, "%s, %s, run %d of %d: %s\n", s.name, t.name, n+1, b.runs, r.line())
		}
	}
	return b.publish(c)
}

// line says in short what a run showed.
func (r result) line() string {
	if r.Failure != "" {
		return "FAILED: " + r.Failure
	}
	if r.Line != nil {
		return r.Line.String()
	}
	s := fmt.Sprintf("%.2f/%.2f/%.2f s", r.Seconds[0], median(r.Seconds), r.last())
	if r.Ratio > 0 {
		s += fmt.Sprintf(", %.3f × bound", r.Ratio)
	}
	return s
}

// publish prints a comparison, and writes the files that were asked for. All
// figures are written each time, so that what comes later can't lose them.
func (b *bench) publish(c comparison) error {
	if err := writeTable(b.out, c); err != nil {
		return err
	}
	fmt.Fprintln(b.out)
	b.rep.Scenarios = append(b.rep.Scenarios, c)
	if b.svg != "" && c.Line == nil {
		var text strings.Builder
		if err := writeSVG(&text, c); err != nil {
			return err
		}
		if err := os.MkdirAll(b.svg, 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(b.svg, "bench-"+c.Scenario+".svg"), []byte(text.String()), 0o644); err != nil {
			return err
		}
	}
	if b.json == "" {
		return nil
	}
	text, err := json.MarshalIndent(b.rep, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(b.json, append(text, '\n'), 0o644)
}
