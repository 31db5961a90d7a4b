package store_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/store"
	"github.com/shoal-cdn/shoal/node/store/storetest"
)

// The times on record are from before everything is synced and moved: what
// changes a file after that is noticed at the next start. Pieces 1 and 2 are a/two.
func TestChangedWhilePublishing(t *testing.T) {
	root := t.TempDir()
	x := storetest.SampleFolder(t, "x")
	d := openDisk(t, store.Config{Root: root})
	c := create(t, d, x, "")
	storetest.Fill(t, c, x)
	must(t, store.PublishWith(c, func() {
		overwrite(t, filepath.Join(root, "partial", x.M.ID().String(), "a/two"), 0, []byte("bad"))
		late := time.Now().Add(time.Second)
		must(t, os.Chtimes(filepath.Join(root, "partial", x.M.ID().String(), "a/two"), late, late))
	}))
	must(t, d.Close())

	d = openDisk(t, store.Config{Root: root})
	c, err := d.Open(x.M.ID())
	must(t, err)
	storetest.WantPieces(t, c, x, 0, 2, 3, 4, 5)
}

// A content with a file that is not what it was is not published, whether the file is
// open, as one of several pieces is, or not.
func TestChangedBeforePublishing(t *testing.T) {
	x := storetest.SampleFolder(t, "x")
	for _, name := range []string{"a/two", "run.sh"} {
		for how, change := range map[string]func(path string) error{
			"missing": os.Remove,
			"longer":  func(path string) error { return os.Truncate(path, 1<<20) },
			"away":    func(path string) error { return os.Rename(path, path+".away") },
			"folder away": func(path string) error {
				if filepath.Dir(name) == "." {
					return os.Remove(path)
				}
				return os.Rename(filepath.Dir(path), filepath.Dir(path)+".away")
			},
		} {
			t.Run(name+" "+how, func(t *testing.T) {
				root := t.TempDir()
				d := openDisk(t, store.Config{Root: root})
				c := create(t, d, x, "")
				storetest.Fill(t, c, x)
				must(t, change(filepath.Join(root, "partial", x.M.ID().String(), filepath.FromSlash(name))))
				wantErr(t, c.Publish(), shoal.ErrCorrupt)
				if _, err := os.Lstat(c.Path()); !os.IsNotExist(err) {
					t.Fatalf("it was published: %v", err)
				}
			})
		}
	}
}

// Publishing syncs what it finds unsynced before it moves anything.
func TestPublishSyncsFirst(t *testing.T) {
	root := t.TempDir()
	x := storetest.SampleFolder(t, "x")
	d := openDisk(t, store.Config{Root: root, SyncInterval: time.Hour})
	c := create(t, d, x, "")
	storetest.Fill(t, c, x)
	must(t, store.PublishWith(c, func() {
		wantOnDisk(t, d, x, x.All()...)
		if _, err := os.Lstat(c.Path()); !os.IsNotExist(err) {
			t.Errorf("it is there already: %v", err)
		}
	}))
}

// A file that is written whole stays open until it is synced by itself, so that its
// fsync learns of a failed write; it does not where all of the file system will be
// synced, nor after reads.
func TestSmallFilesAreClosed(t *testing.T) {
	for _, tt := range []struct{ files, least, most int }{
		{10, 10, 10},
		{200, 32, 33},
	} {
		d := openDisk(t, store.Config{OpenFiles: 256, SyncInterval: time.Hour})
		x := storetest.SampleTree(t, tt.files, 1000)
		before := openFiles(t)
		c := create(t, d, x, "")
		storetest.Fill(t, c, x)
		storetest.WantPieces(t, c, x, x.All()...)
		const others = 16 + 5 // folders, the content's own two, its journal, and what the runtime may need
		if n := openFiles(t) - before; n < tt.least || n > tt.most+others {
			t.Errorf("%d of %d files are open, and up to %d others", n, tt.files, others)
		}
	}
}
