//go:build linux

package system

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal/internal/lab"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// A peer that serves corrupted blocks and one that accepts requests and never
// answers: the others complete, and both are named.
func TestBadPeers(t *testing.T) {
	t.Parallel()
	const rate = 20 * mbit
	w := newWorld(t, 3, rate)
	source, id := seedFile(t, w.origin, "file.bin", max(fileSize, 16<<20), 4)
	self, err := os.Executable()
	must(t, err)
	for _, kind := range []string{"corrupt", "mute"} {
		h := w.host(kind, rate)
		_, err := h.Start(lab.ProcessConfig{
			Name: kind, Command: []string{self}, Log: filepath.Join(t.ArtifactDir(), kind+".log"),
			Env: []string{
				evilKind + "=" + kind, evilName + "=" + kind, evilListen + "=" + h.AddrPort(7000).String(),
				evilTracker + "=" + w.tracker.URL, evilContent + "=" + id.String(),
			},
		})
		must(t, err)
	}
	ctx := within(t, patience)
	for holders := 0; holders < 3; {
		var c tapi.Content
		must(t, w.tracker.Get(ctx, "/v1/contents/"+id.String(), &c))
		holders = c.Holders
		time.Sleep(20 * time.Millisecond)
	}
	task := w.distribute(ctx, id, "n00", "n01", "n02")
	named := make(map[string]bool)
	for i, n := range w.nodes {
		sameFile(t, source, n)
		for _, f := range task.Nodes[i].Faults {
			named[f.Name+" "+f.Kind] = true
			t.Logf("%s: %s was %s %d times", task.Nodes[i].Node, f.Name, f.Kind, f.Count)
		}
	}
	for _, want := range []string{"corrupt corrupt", "mute stalled"} {
		if !named[want] {
			t.Errorf("nobody named %q; named: %v", want, named)
		}
	}
}
