package sim

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
)

const small = `
size: 1MiB
origins: [{name: o, up: 10Mbit}]
nodes: [{name: n, count: 2, up: 10Mbit}]
`

func TestParseDefaults(t *testing.T) {
	got, err := Parse([]byte(small), "")
	if err != nil {
		t.Fatal(err)
	}
	if got.PieceLength != 32<<10 || got.Pieces() != 32 || got.Neighbours != 12 || got.OriginNeighbours != 160 || !got.Overhead || got.Delays != defaultDelays {
		t.Errorf("%+v", got)
	}
}

func TestNeighboursByCarriers(t *testing.T) {
	for _, tt := range []struct {
		origin, node, more string
		want               int
	}{
		{"", "", "", defaultNeighbours},
		{"", "a", "", defaultNeighbours},
		{"a", "a", "", defaultNeighbours},
		{"a", "b", "", mixedNeighbours},
		{"a", "b", "neighbours: 7", 7},
	} {
		got, err := Parse(fmt.Appendf(nil, "size: 1MiB\norigins: [{name: o, carrier: %q}]\nnodes: [{name: n, carrier: %q}]\n%s\n", tt.origin, tt.node, tt.more), "")
		if err != nil {
			t.Fatal(err)
		}
		if got.Neighbours != tt.want {
			t.Errorf("origin in %q, node in %q, %s: %d neighbours, want %d", tt.origin, tt.node, tt.more, got.Neighbours, tt.want)
		}
	}
}

func TestParse(t *testing.T) {
	got, err := Parse([]byte(`
size: 1GiB
piece_length: 1MiB
seed: 7
neighbours: 10
origin_neighbours: 20
overhead: false
delays: {site: 1ms, region: 2ms, carrier: 3ms, elsewhere: 0s}
origins:
  - {name: o, carrier: a}
nodes:
  - {name: n, count: 3, carrier: b, region: r, site: s, up: 1Mbit, down: 2MB, delay: 4ms, join: 5s, spread: 6s, leave: 7s, holder: true, fault: mute}
links:
  - {a: a, b: b, rate: 8Mbit, delay: 9ms, until: 4s, then: 1Mbit}
`), "")
	if err != nil {
		t.Fatal(err)
	}
	n := got.Nodes[0]
	want := Group{
		Name: "n", Count: 3, Locality: shoal.Locality{Carrier: "b", Region: "r", Site: "s"}, Up: 125000, Down: 2e6,
		Delay: 4 * time.Millisecond, Join: 5 * time.Second, Spread: 6 * time.Second, Leave: 7 * time.Second, Holder: true, Fault: Mute,
	}
	if n != want {
		t.Errorf("%+v, want %+v", n, want)
	}
	if l := (Link{"a", "b", 1e6, 9 * time.Millisecond, 4 * time.Second, 125000}); got.Links[0] != l {
		t.Errorf("%+v, want %+v", got.Links[0], l)
	}
	if got.Overhead || got.Delays.Elsewhere != 0 || got.Delays.Site != time.Millisecond || got.Seed != 7 {
		t.Errorf("%+v", got)
	}
}

func TestParseRefuses(t *testing.T) {
	const o, n = "\norigins: [{name: o, carrier: a}]\n", "\nnodes: [{name: n, carrier: b}]\n"
	for _, c := range []struct{ yaml, want string }{
		{"", "it is empty"},
		{"size: 1MiB\n---\nsize: 2MiB\n", "more than one document"},
		{"size: 1MiB" + o + n + "links: [{a: a, b: b, until: 4s}]", "want until"},
		{"size: 1MiB" + o + n + "links: [{a: a, b: b, then: 1Mbit}]", "want until"},
		{small + "piece_lenght: 1MiB\n", "invalid: line 5: key piece_lenght not found"},
		{"size: 1MiB" + o + "nodes: [{name: n, upp: 1Mbit}]", "line 3: key upp not found"},
		{"size: big" + o + n, "line 1: size \"big\""},
		{"size: 1MiB" + o + "nodes: [{name: n, up: 20}]", "rate \"20\""},
		{"size: 1MiB" + o + "nodes: [{name: n, join: 5}]", "missing unit"},
		{"size: 0" + o + n, "at least 1 byte"},
		{"size: -1" + o + n, "size \"-1\""},
		{"size: 1MiB\npiece_length: 48KiB" + o + n, "power of two"},
		{"size: 1MiB\npiece_length: 8EiB" + o + n, "size \"8EiB\""},
		{"size: 1MiB\npiece_length: 1TiB" + o + n, "power of two"},
		{"size: 900TiB\npiece_length: 16KiB" + o + n, "more than 1048576 pieces"},
		{"size: 1GiB\npiece_length: 16KiB" + o + "nodes: [{name: n, count: 19000}]", "too many to simulate"},
		{"size: 1MiB\nfile: x" + o + n, "exclude each other"},
		{"file: none.bin" + o + n, "none.bin"},
		{"size: 1MiB\nneighbours: 1" + o + n, "neighbours 1"},
		{"size: 1MiB" + n, "0 origins"},
		{"size: 1MiB" + o, "0 groups of nodes"},
		{"size: 1MiB" + o + "nodes: [{name: n, count: 0}]", "count 0"},
		{"size: 1MiB" + o + "nodes: [{name: n, count: 2000000000}]", "count 2000000000"},
		{"size: 1MiB" + o + "nodes: [{name: n, count: 15000}, {name: m, count: 15000}]", "30001 nodes"},
		{"size: 1MiB" + o + "nodes: [{count: 2}]", "group \"2\": name is missing"},
		{"size: 1MiB" + o + "nodes: [{name: o}]", "two of that name"},
		{"size: 1MiB" + o + "nodes: [{name: n, fault: lazy}]", "fault \"lazy\""},
		{"size: 1MiB" + o + "nodes: [{name: n, leave: -1s}]", "time -1s"},
		{"size: 1MiB" + o + "nodes: [{name: n, delay: 2h}]", "delay 2h"},
		{"size: 1MiB\norigins: [{name: o, holder: true}]" + n, "leave holder away"},
		{"size: 1MiB\ndelays: {site: 2h}" + o + n, "delay 2h"},
		{"size: 1MiB" + o + n + "links: [{a: a, b: c}]", "two carriers"},
		{"size: 1MiB" + o + n + "links: [{a: a, b: a}]", "two carriers"},
		{"size: 1MiB" + o + n + "links: [{a: a, b: b}, {a: b, b: a}]", "there are two"},
		{"size: 1MiB" + o + "nodes: [{name: n}]\nlinks: [{a: a, b: b}]", "needs a carrier"},
		{"size: 1MiB" + o + "nodes: [{name: n, carrier: b}, {name: m, carrier: c}]\nlinks: [{a: b, b: c}]", "no link leads"},
	} {
		_, err := Parse([]byte(c.yaml), t.TempDir())
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s\nerror %v, want %q", c.yaml, err, c.want)
		} else if !errors.Is(err, shoal.ErrInvalid) && !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%v is of no kind", err)
		}
	}
}

func TestLoadFileSize(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("content.bin", strings.Repeat("x", 100))
	path := write("t.yaml", strings.Replace(small, "size: 1MiB", "file: content.bin", 1))
	got, err := Load(path)
	if err != nil || got.Size != 100 {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := Load(write("dir.yaml", strings.Replace(small, "size: 1MiB", "file: .", 1))); !errors.Is(err, shoal.ErrInvalid) {
		t.Errorf("a folder: %v", err)
	}
	if _, err := Load(write("huge.yaml", strings.Repeat("#", maxFile+1))); !errors.Is(err, shoal.ErrInvalid) {
		t.Errorf("a huge file: %v", err)
	}
}

// Pieces are as long as those that seeding makes.
func TestPieceLengthAsBuilt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	for _, size := range []int64{1, 64 << 20, 96 << 20, 96<<20 + 2048, 200 << 20} {
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(f.Truncate(size), f.Close()); err != nil {
			t.Fatal(err)
		}
		m, err := shoal.BuildManifest(t.Context(), path, shoal.BuildOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if got := choosePieceLength(size); got != m.PieceLength() {
			t.Errorf("%d bytes: pieces of %d, want %d", size, got, m.PieceLength())
		}
	}
}

func TestExamples(t *testing.T) {
	paths, err := filepath.Glob("../../docs/topologies/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		if _, err := Load(path); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}
