package leases

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

func TestPick(t *testing.T) {
	for _, tt := range []struct {
		set        string // x: may be picked
		from, want int
		runs       string
		next       int
	}{
		{"xxxxxxxx", 0, 3, "[{0 3}]", 3},
		{"xxxxxxxx", 6, 4, "[{0 2} {6 2}]", 2},
		{"x.xx.x..", 1, 9, "[{0 1} {2 2} {5 1}]", 1},
		{"........", 3, 2, "[]", 3},
		{"xxxxxxxx", 0, 0, "[]", 0},
		{"", 0, 1, "[]", 0},
		{"x.x.x.x.x.x.x.x.x.x.x.x.x.x.x.x.x.x.x.x.", 0, 99, "[{0 1} {2 1} {4 1} {6 1} {8 1} {10 1} {12 1} {14 1} {16 1} {18 1} {20 1} {22 1} {24 1} {26 1} {28 1} {30 1}]", 31},
	} {
		runs, next := pick(len(tt.set), tt.from, tt.want, func(i int) bool { return tt.set[i] == 'x' })
		if got := fmt.Sprint(runs); got != tt.runs || next != tt.next {
			t.Errorf("%s from %d: %s, next %d, want %s, %d", tt.set, tt.from, got, next, tt.runs, tt.next)
		}
	}
}

// TestContentBytes: pieces don't cross files (BEP 52), so each file's last one is shorter.
func TestContentBytes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "folder")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, n := range map[string]int{"a": 100_000, "b": 0, "c": 1, "d": 65536, "e": 40_000} {
		if err := os.WriteFile(filepath.Join(dir, name), make([]byte, n), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	m, err := shoal.BuildManifest(t.Context(), dir, shoal.BuildOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c := NewContent(m)
	for first := range m.NumPieces() {
		want := int64(0)
		for count := 1; first+count <= m.NumPieces(); count++ {
			want += int64(m.PieceSize(first + count - 1))
			if got := c.bytes(api.Run{First: first, Count: count}); got != want {
				t.Errorf("pieces %d and %d more: %d bytes, want %d", first, count-1, got, want)
			}
		}
	}
	if all := c.bytes(api.Run{Count: m.NumPieces()}); all != m.Size() {
		t.Errorf("all: %d bytes, want %d", all, m.Size())
	}
}
