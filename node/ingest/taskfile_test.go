package ingest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shoal-cdn/shoal"
)

// A task file's priority is read from both formats; another than there are is refused
// with what there are.
func TestTaskFilePriority(t *testing.T) {
	const want = "want a whole number from -10 to 10"
	for _, tt := range []struct {
		text   string
		isYAML bool
		want   string // the priority, or a part of the error
	}{
		{`{"nodes":["a"]}`, false, "0"},
		{`{"nodes":["a"],"priority":10}`, false, "10"},
		{"nodes: [a]\npriority: -10\n", true, "-10"},
		{`{"nodes":["a"],"priority":11}`, false, "task file: invalid: priority 11: " + want},
		{`{"nodes":["a"],"priority":"high"}`, false, `task file: invalid: priority "high": ` + want},
		{"nodes: [a]\npriority: high\n", true, `task file: invalid: priority "high": ` + want},
		{"nodes: [a]\npriority: 0.5\n", true, "task file: invalid: priority 0.5: " + want},
		{"nodes: [a]\npriority: [1]\n", true, want},
	} {
		task, err := DecodeTask([]byte(tt.text), tt.isYAML)
		got := task.Priority.String()
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, tt.want) || err != nil && !errors.Is(err, shoal.ErrInvalid) {
			t.Errorf("%s: %s, want %s", tt.text, got, tt.want)
		}
	}
}

// M10: what is wrong with a dropped file's priority stands beside it; what is right goes to
// the tracker.
func TestDropPriority(t *testing.T) {
	b := newBench(t, t.TempDir())
	b.tracker.contents = map[shoal.ContentID]bool{{7}: true}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"good": "data", "good.task.yaml": "nodes: [edge]\npriority: 9\n",
		"bad": "data", "bad.task.json": `{"nodes":["edge"],"priority":"urgent"}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	d := &Drop{Dir: dir, Seed: func(context.Context, string) (shoal.ContentID, error) { return shoal.ContentID{7}, nil }}
	for range 2 {
		if err := d.look(t.Context(), b.service); err != nil {
			t.Fatal(err)
		}
	}
	if got := b.tracker.tasks; len(got) != 1 || got[0].Priority != 9 {
		t.Errorf("tasks %+v", got)
	}
	said, err := os.ReadFile(filepath.Join(dir, "bad.error"))
	if want := "bad.task.json: task file: invalid: priority \"urgent\": want a whole number from -10 to 10"; err != nil || !strings.HasPrefix(string(said), want) {
		t.Errorf("%q, %v", said, err)
	}
}
