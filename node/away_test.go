package node_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shoal-cdn/shoal/node"
	"github.com/shoal-cdn/shoal/node/api"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// A node that starts again while no tracker answers, at another port, goes on with
// the peers that it knew last (B4).
func TestRestartWithoutTracker(t *testing.T) {
	url, _, vanish := startMortalTracker(t)
	dir := t.TempDir()
	want := writeFile(t, filepath.Join(dir, "file.bin"), 6<<20)
	origin := start(t, node.Config{Name: "origin", Data: t.TempDir(), Trackers: []string{url}, Up: 1 << 20})
	seeded, err := origin.Seed(t.Context(), filepath.Join(dir, "file.bin"), nil)
	if err != nil {
		t.Fatal(err)
	}
	n := startNode(t, "edge", t.TempDir(), url)
	if _, err := n.Fetch(t.Context(), api.Fetch{Content: seeded.Content}); err != nil {
		t.Fatal(err)
	}
	has := func(n *running) api.Content {
		c, _ := n.Content(t.Context(), seeded.Content)
		return c
	}
	eventually(t, "some of it is there", func() bool { return has(n).PiecesHeld > 2 })
	n.stop()
	vanish()
	n = startNode(t, "edge", n.data, url)
	if c := has(n); c.PiecesHeld == c.Pieces && c.Pieces > 0 {
		t.Fatal("all was there before the restart")
	}
	eventually(t, "the rest is there", func() bool { return has(n).Role == tapi.Holder })
	got, err := os.ReadFile(filepath.Join(n.data, "files", "file.bin"))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("what arrived differs: %v", err)
	}
}

// Nodes that have joined a tracker, and never shared anything, find who has a content
// when the tracker is gone: by the nodes that it told them of, and those that these know
// (B4).
func TestNewcomerWithoutTracker(t *testing.T) {
	url, _, vanish := startMortalTracker(t)
	with := func(name string) *running {
		return start(t, node.Config{Name: name, Data: t.TempDir(), Trackers: []string{url}, DHT: true})
	}
	known := func(n *running) string { return metric(t, n, "shoal_node_known_peers") }

	first := with("first") // knows nobody, as it is the first
	eventually(t, "the tracker knows the first", func() bool { return metric(t, first, `shoal_node_announces_total{result="answered"}`) != "0" })
	second := with("second")
	eventually(t, "the second knows the first", func() bool { return known(second) == "1" })
	path := filepath.Join(t.TempDir(), "file.bin")
	want := writeFile(t, path, 1<<20)
	seeded, err := second.Seed(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	third := with("third")
	eventually(t, "the third knows both", func() bool { return known(third) == "2" })
	vanish()

	for _, n := range []*running{third, first} {
		if _, err := n.Fetch(t.Context(), api.Fetch{Content: seeded.Content}); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range []*running{third, first} {
		eventually(t, "it is there", func() bool {
			c, err := n.Content(t.Context(), seeded.Content)
			return err == nil && c.Role == tapi.Holder
		})
		if got, err := os.ReadFile(filepath.Join(n.data, "files", "file.bin")); err != nil || !bytes.Equal(got, want) {
			t.Errorf("what arrived differs: %v", err)
		}
	}
	for name, n := range map[string]*running{
		"shoal_node_dht_peers": first, "shoal_node_dht_found_total": first, `shoal_node_dht_offers_total{result="taken"}`: second,
	} {
		eventually(t, name+" is counted", func() bool { return metric(t, n, name) != "0" })
	}
}

// metric is a figure of a node, as /metrics shows it.
func metric(t *testing.T, n *running, name string) string {
	t.Helper()
	for line := range strings.Lines(get(t, n.URL()+"/metrics")) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(rest)
		}
	}
	t.Fatalf("no metric %s", name)
	return ""
}
