package tus

import (
	"errors"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/shoal-cdn/shoal/node/ingest/uploads"
)

// L1: whatever servers save at the same moment, what a client was told is durable stays so.
func TestSavedAtOnce(t *testing.T) {
	dir := t.TempDir()
	b := newBenchIn(t, dir, uploads.Limits{})
	id := path.Base(b.create(1_000_000))
	f, err := os.OpenFile(filepath.Join(dir, folder, id, dataFile), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var (
		servers sync.WaitGroup
		saved   atomic.Int64
	)
	for range 4 {
		servers.Go(func() {
			for range 50 {
				u := b.get(id)
				switch err := u.save(f, u.info.Offset+1); {
				case err == nil:
					saved.Add(1)
				case !errors.Is(err, errElsewhere):
					t.Error(err)
					return
				}
			}
		})
	}
	servers.Wait()
	if got := b.get(id).info.Offset; got < saved.Load() || got == 0 {
		t.Errorf("offset %d after %d that were saved", got, saved.Load())
	}
	here, _ := left(t, dir)
	entries, err := os.ReadDir(filepath.Join(dir, folder, id))
	if err != nil || len(entries) != 4 || !slices.Equal(here, []string{id}) {
		t.Errorf("%d files, want information, data and the offset's last two versions: %v", len(entries), err)
	}
}
