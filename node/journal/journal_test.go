package journal

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shoal-cdn/shoal"
)

type record struct {
	Name string
	N    int
}

func open(t *testing.T, dir string) *Journal[record] {
	t.Helper()
	j, err := Open[record](dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

func load(t *testing.T, j *Journal[record]) map[string]record {
	t.Helper()
	m, err := j.Load()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// M11: what was put is there for whoever opens the folder next.
func TestRecordsSurviveReopening(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tasks")
	j := open(t, dir)
	for _, step := range []struct {
		key string
		v   record
	}{{"a", record{"first", 1}}, {"b", record{"second", 2}}, {"a", record{"third", 3}}, {"c", record{}}, {"..", record{"dots", 4}}, {"a.json", record{"dot", 5}}} {
		if err := j.Put(step.key, step.v); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(j.Delete("c"), j.Delete("never-there")); err != nil {
		t.Fatal(err)
	}
	got := load(t, open(t, dir))
	if len(got) != 4 || got["a"] != (record{"third", 3}) || got["b"] != (record{"second", 2}) ||
		got[".."].N != 4 || got["a.json"].N != 5 {
		t.Fatalf("got %v", got)
	}
}

// A crash within Put leaves the temporary file: the old record still counts.
func TestUnfinishedPutIsDropped(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir)
	if err := j.Put("a", record{"old", 1}); err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(dir, "a.json.new")
	if err := os.WriteFile(left, []byte(`{"Name":"ne`), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := load(t, open(t, dir)); got["a"] != (record{"old", 1}) {
		t.Fatalf("got %v", got)
	}
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("the temporary file is still there: %v", err)
	}
}

func TestDamagedRecordIsSetAside(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir)
	if err := j.Put("good", record{"good", 1}); err != nil {
		t.Fatal(err)
	}
	for name, body := range map[string]string{"torn": `{"Name":`, "typed": `{"N":"x"}`, "big": strings.Repeat(" ", maxRecord+1)} {
		if err := os.WriteFile(filepath.Join(dir, name+".json"), []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // once set aside, it is no trouble again
		if got := load(t, j); len(got) != 1 || got["good"].N != 1 {
			t.Fatalf("got %v", got)
		}
	}
	if aside, _ := filepath.Glob(filepath.Join(dir, "*.damaged")); len(aside) != 3 {
		t.Fatalf("set aside: %v", aside)
	}
}

// Task IDs come from another machine: none may leave the folder.
func TestHostileKeys(t *testing.T) {
	j := open(t, t.TempDir())
	for _, key := range []string{"", "../a", "a/b", "/a", "a b", "a\x00b", "ä", strings.Repeat("a", maxKey+1)} {
		if err := j.Put(key, record{}); !errors.Is(err, shoal.ErrInvalid) {
			t.Errorf("Put(%q): %v", key, err)
		}
		if err := j.Delete(key); !errors.Is(err, shoal.ErrInvalid) {
			t.Errorf("Delete(%q): %v", key, err)
		}
	}
	if got := load(t, j); len(got) != 0 {
		t.Fatalf("got %v", got)
	}
}
