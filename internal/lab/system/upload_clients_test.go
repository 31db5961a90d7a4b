//go:build linux

package system

import (
	"os"
	"path/filepath"
	"testing"
)

// Two clients send one task at the same time, the second with a copy of what the first has
// noted down: both end, and the file is whole (L1).
func TestUploadTwoClients(t *testing.T) {
	t.Parallel()
	size := 2 * fileSize
	w := newUploadWorld(t, 80*mbit, size)
	first := w.begin(filepath.Join(t.ArtifactDir(), "first.log"), w.tracked()...)
	w.awaitSent(w.sent(), size/4)
	copied := t.TempDir()
	must(t, os.CopyFS(copied, os.DirFS(w.cache)))
	w.cache = copied
	second := w.begin(filepath.Join(t.ArtifactDir(), "second.log"), w.tracked()...)
	ctx := within(t, patience)
	a, b := w.ended(ctx, first), w.ended(ctx, second)
	if a.Task == "" || a.Task != b.Task || a.Content != b.Content {
		t.Errorf("tasks %s and %s, contents %s and %s; want the same", a.Task, b.Task, a.Content, b.Content)
	}
	t.Logf("sent %d and %d of %d", a.Sent, b.Sent, size)
	w.atServer(a.Content)
}
