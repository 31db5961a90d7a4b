package node_test

import (
	"bytes"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/shoal-cdn/shoal/node"
	"github.com/shoal-cdn/shoal/node/api"
	"github.com/shoal-cdn/shoal/tracker"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// A node that starts again while no tracker answers, at another port, goes on with
// the peers that it knew last (B4).
func TestRestartWithoutTracker(t *testing.T) {
	tr, err := tracker.New(tracker.Config{Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	srv := httptest.NewServer(tr.Handler())
	defer srv.Close()
	dir := t.TempDir()
	want := writeFile(t, filepath.Join(dir, "file.bin"), 6<<20)
	origin := start(t, node.Config{Name: "origin", Data: t.TempDir(), Trackers: []string{srv.URL}, Up: 1 << 20})
	seeded, err := origin.Seed(t.Context(), filepath.Join(dir, "file.bin"), nil)
	if err != nil {
		t.Fatal(err)
	}
	n := startNode(t, "edge", t.TempDir(), srv.URL)
	if _, err := n.Fetch(t.Context(), api.Fetch{Content: seeded.Content}); err != nil {
		t.Fatal(err)
	}
	has := func(n *running) api.Content {
		c, _ := n.Content(t.Context(), seeded.Content)
		return c
	}
	eventually(t, "some of it is there", func() bool { return has(n).PiecesHeld > 2 })
	n.stop()
	srv.CloseClientConnections()
	srv.Close()
	n = startNode(t, "edge", n.data, srv.URL)
	if c := has(n); c.PiecesHeld == c.Pieces && c.Pieces > 0 {
		t.Fatal("all was there before the restart")
	}
	eventually(t, "the rest is there", func() bool { return has(n).Role == tapi.Holder })
	got, err := os.ReadFile(filepath.Join(n.data, "files", "file.bin"))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("what arrived differs: %v", err)
	}
}
