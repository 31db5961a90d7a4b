package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
	nodeapi "github.com/shoal-cdn/shoal/node/api"
	"github.com/shoal-cdn/shoal/tracker/api"
)

func TestDigestDifference(t *testing.T) {
	write := func(root, path, data string, mode os.FileMode) {
		t.Helper()
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(data), mode); err != nil {
			t.Fatal(err)
		}
	}
	tree := func(change func(root string)) digest {
		t.Helper()
		root := t.TempDir()
		write(root, "a/run.sh", "echo", 0o755)
		write(root, "b.txt", "bee", 0o644)
		change(root)
		d, err := digestOf(t.Context(), root)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	want := tree(func(string) {})
	tests := []struct {
		name   string
		change func(root string)
		want   string
	}{
		{"nothing", func(string) {}, ""},
		{"content", func(r string) { write(r, "b.txt", "bees", 0o644) }, "b.txt is "},
		{"mode", func(r string) { _ = os.Chmod(filepath.Join(r, "a/run.sh"), 0o644) }, "a/run.sh is "},
		{"missing", func(r string) { _ = os.Remove(filepath.Join(r, "b.txt")) }, "b.txt is missing"},
		{"superfluous", func(r string) { write(r, "c", "", 0o644) }, "c is not in the source"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := want.difference(tree(tt.change))
			if (tt.want == "") != (got == "") || !strings.HasPrefix(got, tt.want) {
				t.Errorf("difference %q, want %q", got, tt.want)
			}
		})
	}
}

func TestDemoVerdict(t *testing.T) {
	same := demoNode{subTaskReport: subTaskReport{Node: "node-1"}, Identical: true}
	other := demoNode{subTaskReport: subTaskReport{Node: "node-2"}, Difference: ". is missing"}
	tests := []struct {
		name  string
		state api.State
		nodes []demoNode
		want  string
	}{
		{"all well", api.Succeeded, []demoNode{same}, ""},
		{"one copy differs though the task succeeded", api.Succeeded, []demoNode{same, other}, `demo: "node-2": corrupt: its copy differs: . is missing`},
		{"task failed though all copies are there", api.Failed, []demoNode{same}, `demo: "x": the task failed`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := (&demoReport{Name: "x", State: tt.state, Nodes: tt.nodes}).verdict()
			if got := fmt.Sprint(err); got != tt.want && (tt.want != "" || err != nil) {
				t.Errorf("verdict %q, want %q", got, tt.want)
			}
		})
	}
}

// A child that ends by itself ends the cluster, and its last words are shown.
func TestClusterNoticesDeadChild(t *testing.T) {
	c := &cluster{dir: t.TempDir(), exe: "/bin/sh"}
	c.ctx, c.cancel = context.WithCancelCause(t.Context())
	if err := os.Mkdir(filepath.Join(c.dir, "logs"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := c.start("node-1", "-c", "echo disk on fire >&2; exit 3"); err != nil {
		t.Fatal(err)
	}
	<-c.ctx.Done()
	err := c.failed("seed", "", errors.New("connection reset"))
	if got, want := err.Error(), "demo: node-1 ended by itself: exit status 3"; got != want {
		t.Errorf("error %q, want %q", got, want)
	}
	var out bytes.Buffer
	printTail(&out, err)
	if !strings.HasSuffix(out.String(), ":\n  disk on fire\n") {
		t.Errorf("tail %q", out.String())
	}
}

// Killing on purpose does not end the cluster; the same name can start again.
func TestProcessKillAndStop(t *testing.T) {
	c := &cluster{dir: t.TempDir(), exe: "/bin/sh"}
	c.ctx, c.cancel = context.WithCancelCause(t.Context())
	if err := os.Mkdir(filepath.Join(c.dir, "logs"), 0o755); err != nil {
		t.Fatal(err)
	}
	start := func() *process {
		t.Helper()
		p, err := c.start("node-1", "-c", "exec sleep 100")
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	p := start()
	p.kill()
	if p.err == nil || c.ctx.Err() != nil {
		t.Errorf("killed: %v; cluster: %v", p.err, c.ctx.Err())
	}
	p = start()
	began := time.Now()
	p.stop(30 * time.Second)
	if p.err == nil || time.Since(began) > 20*time.Second || c.ctx.Err() != nil {
		t.Errorf("stopped after %v: %v; cluster: %v", time.Since(began), p.err, c.ctx.Err())
	}
}

// The victim is killed once, when it has enough, and restarted later.
func TestVictim(t *testing.T) {
	c := &cluster{dir: t.TempDir(), exe: "/bin/sh"}
	c.ctx, c.cancel = context.WithCancelCause(t.Context())
	if err := os.Mkdir(filepath.Join(c.dir, "logs"), 0o755); err != nil {
		t.Fatal(err)
	}
	m := &member{name: "node-1", args: []string{"-c", "exec sleep 100"}}
	var err error
	if m.process, err = c.start(m.name, m.args...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.process.kill() })
	first := m.process
	v := victim{member: m, view: &view{}}
	now := time.Unix(1000, 0)
	step := func(held int, role api.Role, after time.Duration) {
		t.Helper()
		v.view.content = nodeapi.Content{Pieces: 100, PiecesHeld: held, Role: role}
		now = now.Add(after)
		if err := v.step(c, now, silent{}); err != nil {
			t.Fatal(err)
		}
	}
	step(39, api.Fetcher, 0)
	step(100, api.Holder, 0) // too late to resume
	if v.crash != nil {
		t.Fatalf("killed at %+v", v.crash)
	}
	step(41, api.Fetcher, 0)
	if v.crash == nil || v.crash.PiecesHeld != 41 || v.view.note != noteKilled {
		t.Fatalf("crash %+v, note %q, want it killed at 41", v.crash, v.view.note)
	}
	step(41, api.Fetcher, crashDelay-1)
	if m.process != first {
		t.Error("restarted too early")
	}
	step(41, api.Fetcher, 1)
	if m.process == first || v.view.note != noteRestarting {
		t.Errorf("not restarted: note %q", v.view.note)
	}
	second := m.process
	step(90, api.Fetcher, time.Minute)
	if m.process != second {
		t.Error("crashed twice")
	}
}

func TestChildrenDoNotInheritSettings(t *testing.T) {
	got := withoutSettings([]string{"PATH=/bin", "SHOAL_NODES=3", "SHOALS=x"})
	if want := "PATH=/bin SHOALS=x"; strings.Join(got, " ") != want {
		t.Errorf("environment %q, want %q", got, want)
	}
}

func TestFreeAddrs(t *testing.T) {
	addrs, err := freeAddrs(20)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, a := range addrs {
		if seen[a] {
			t.Errorf("%s twice", a)
		}
		seen[a] = true
	}
	if len(seen) != 20 {
		t.Errorf("%d addresses, want 20", len(seen))
	}
}

// Defaults that the help text shows must be such as the flags themselves read.
func TestDemoDefaultsRoundTrip(t *testing.T) {
	r, err := shoal.ParseRate(demoRate.String())
	if err != nil || r != demoRate {
		t.Errorf("rate %v, %v", r, err)
	}
	if s, err := shoal.ParseSize(demoSize.String()); err != nil || s != demoSize {
		t.Errorf("size %v, %v", s, err)
	}
}
