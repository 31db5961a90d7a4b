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

// What is read at start are sizes and times, unless they differ. Piece 1 and 2
// are in a/two.
func TestPublishedFileChanges(t *testing.T) {
	old := time.Unix(1, 0)
	for name, test := range map[string]struct {
		change func(dir string) error
		held   []int
	}{
		"nothing": {func(string) error { return nil }, []int{0, 1, 2, 3, 4, 5}},
		"touched": {func(dir string) error { return os.Chtimes(filepath.Join(dir, "a/two"), old, old) }, []int{0, 1, 2, 3, 4, 5}},
		"damaged": {func(dir string) error {
			overwrite(t, filepath.Join(dir, "a/two"), storetest.PieceLength, []byte("bad"))
			return os.Chtimes(filepath.Join(dir, "a/two"), old, old)
		}, []int{0, 1, 3, 4, 5}},
		"longer":   {func(dir string) error { return os.Truncate(filepath.Join(dir, "a/two"), 1<<20) }, []int{0, 3, 4, 5}},
		"shorter":  {func(dir string) error { return os.Truncate(filepath.Join(dir, "a/two"), storetest.PieceLength) }, []int{0, 3, 4, 5}},
		"missing":  {func(dir string) error { return os.Remove(filepath.Join(dir, "a/two")) }, []int{0, 3, 4, 5}},
		"no empty": {func(dir string) error { return os.Remove(filepath.Join(dir, "a/empty")) }, []int{0, 1, 2, 3, 4, 5}},
		"all gone": {os.RemoveAll, nil},
		"folder is a file": {func(dir string) error {
			must(t, os.RemoveAll(filepath.Join(dir, "a")))
			return os.WriteFile(filepath.Join(dir, "a"), nil, 0o644)
		}, []int{3, 4, 5}},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			x := storetest.SampleFolder(t, "x")
			d := openDisk(t, store.Config{Root: root})
			dir := published(t, d, x, "in/x").Path()
			must(t, d.Close())
			must(t, test.change(dir))

			d = openDisk(t, store.Config{Root: root})
			c, err := d.Open(x.M.ID())
			must(t, err)
			storetest.WantPieces(t, c, x, test.held...)
			if len(test.held) < 6 {
				wantErr(t, c.WritePiece(1, x.Piece(t, 1)), conflictUnlessHeld(c, 1))
			}
			if name == "folder is a file" {
				must(t, c.Close())
				must(t, d.Delete(x.M.ID()))
				return
			}
			// Create makes it whole again.
			again := create(t, d, x, "in/x")
			storetest.Fill(t, again, x)
			must(t, again.Publish())
			storetest.WantPieces(t, c, x, x.All()...)
			if c.Path() != dir {
				t.Fatalf("path %q, want %q", c.Path(), dir)
			}
			for i, f := range x.M.Files() {
				want, err := os.ReadFile(x.File(i))
				must(t, err)
				got, err := os.ReadFile(filepath.Join(dir, f.Path))
				must(t, err)
				if string(got) != string(want) {
					t.Errorf("%s differs", f.Path)
				}
			}
			must(t, d.Delete(x.M.ID()))
			wantTree(t, root, "files/", "partial/", "state/", "state/lock")
		})
	}
}

func conflictUnlessHeld(c store.Content, piece int) error {
	if c.Pieces().Has(piece) {
		return nil
	}
	return shoal.ErrConflict
}

// Without the files' times, all is hashed.
func TestRecordWithoutTimes(t *testing.T) {
	root := t.TempDir()
	x := storetest.SampleFolder(t, "x")
	d := openDisk(t, store.Config{Root: root})
	path := published(t, d, x, "x").Path()
	must(t, d.Close())
	must(t, os.WriteFile(statePath(root, x, ".json"), []byte(`{"version":1,"dest":"x","published":true}`), 0o600))
	overwrite(t, filepath.Join(path, "run.sh"), 0, []byte("bad")) // piece 5

	for range 2 {
		d = openDisk(t, store.Config{Root: root})
		c, err := d.Open(x.M.ID())
		must(t, err)
		storetest.WantPieces(t, c, x, 0, 1, 2, 3, 4)
		must(t, d.Close())
	}
}

// Damage while the content is open is found by reading.
func TestPublishedFileIsTruncatedWhileOpen(t *testing.T) {
	d := openDisk(t, store.Config{})
	x := storetest.SampleFile(t, "x", 3*storetest.PieceLength)
	c := published(t, d, x, "x")
	must(t, os.Truncate(c.Path(), 2*storetest.PieceLength))
	if c.ReadAt(make([]byte, 10), 2, 0) == nil {
		t.Fatal("read what is not there")
	}
	storetest.WantPieces(t, c, x, 0, 1)
	c = create(t, d, x, "x")
	storetest.WantPieces(t, c, x, 0, 1)
	storetest.Fill(t, c, x)
	must(t, c.Publish())
}

// A disk with contents in place that is away for one start is back at the next.
func TestInPlaceIsAwayForAWhile(t *testing.T) {
	root := t.TempDir()
	x := storetest.SampleFolder(t, "x")
	d := openDisk(t, store.Config{Root: root})
	_, err := d.Seed(x.M, x.Path)
	must(t, err)
	must(t, d.Close())
	must(t, os.Rename(x.Path, x.Path+".away"))

	for _, want := range [][]int{nil, x.All()} {
		d = openDisk(t, store.Config{Root: root})
		c, err := d.Open(x.M.ID())
		must(t, err)
		storetest.WantPieces(t, c, x, want...)
		must(t, d.Close())
		os.Rename(x.Path+".away", x.Path)
	}
	wantTree(t, x.Path, "a/", "a/deep/", "a/deep/er/", "a/deep/er/one", "a/empty", "a/two", "b/", "b/größe.bin", "run.sh", "zero")
}

// The path given to Seed may be a link, and the link may be turned.
func TestSeedThroughALink(t *testing.T) {
	root := t.TempDir()
	x := storetest.SampleFile(t, "x", storetest.PieceLength)
	link := filepath.Join(t.TempDir(), "current")
	must(t, os.Symlink(x.Path, link))
	d := openDisk(t, store.Config{Root: root})
	c, err := d.Seed(x.M, link)
	must(t, err)
	storetest.WantPieces(t, c, x, 0)
	must(t, d.Close())

	other := storetest.SampleFile(t, "y", storetest.PieceLength)
	must(t, os.Remove(link))
	must(t, os.Symlink(other.Path, link))
	d = openDisk(t, store.Config{Root: root})
	c, err = d.Open(x.M.ID())
	must(t, err)
	storetest.WantPieces(t, c, x)
}
