//go:build unix

package store_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/store"
	"github.com/shoal-cdn/shoal/node/store/storetest"
)

// Somebody who can plant links in the store's folders makes it write nowhere
// else: not outside, and not on other contents' data.
func TestPlantedInPartial(t *testing.T) {
	x := storetest.SampleFolder(t, "x")
	for name, plant := range map[string]func(t *testing.T, partial, victim string) error{
		"link to a file": func(_ *testing.T, p, v string) error { return os.Symlink(v, filepath.Join(p, "run.sh")) },
		"relative link": func(_ *testing.T, p, _ string) error {
			return os.Symlink("../../files/victim", filepath.Join(p, "run.sh"))
		},
		"link in the place": func(_ *testing.T, p, _ string) error { return os.Symlink("b", filepath.Join(p, "run.sh")) },
		"dangling link":     func(_ *testing.T, p, v string) error { return os.Symlink(v+".new", filepath.Join(p, "run.sh")) },
		"folder":            func(_ *testing.T, p, _ string) error { return os.Mkdir(filepath.Join(p, "run.sh"), 0o755) },
		"named pipe":        func(_ *testing.T, p, _ string) error { return syscall.Mkfifo(filepath.Join(p, "run.sh"), 0o644) },
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			d := openDisk(t, store.Config{Root: root})
			victim := filepath.Join(root, "files", "victim")
			must(t, os.WriteFile(victim, []byte("mine"), 0o644))
			c := create(t, d, x, "")
			must(t, plant(t, filepath.Join(root, "partial", x.M.ID().String()), victim))
			wantErr(t, c.WritePiece(5, x.Piece(t, 5)), shoal.ErrConflict)
			storetest.WantPieces(t, c, x)
			if b, err := os.ReadFile(victim); string(b) != "mine" {
				t.Fatalf("the victim has %q, %v", b, err)
			}
			wantTree(t, filepath.Join(root, "files"), "victim")
		})
	}
}

func TestPlantedFolderInPartial(t *testing.T) {
	x := storetest.SampleFolder(t, "x")
	root, outside := t.TempDir(), t.TempDir()
	d := openDisk(t, store.Config{Root: root})
	c := create(t, d, x, "")
	partial := filepath.Join(root, "partial", x.M.ID().String())
	must(t, os.Symlink(outside, filepath.Join(partial, "a")))
	must(t, os.Symlink("../../files", filepath.Join(partial, "b")))
	for _, i := range []int{0, 1, 3} {
		if c.WritePiece(i, x.Piece(t, i)) == nil {
			t.Errorf("piece %d was written through a link", i)
		}
	}
	storetest.WantPieces(t, c, x)
	wantTree(t, outside)
	wantTree(t, filepath.Join(root, "files"))
}

// A named pipe in a folder's place makes nobody wait.
func TestPlantedPipeForAFolder(t *testing.T) {
	x := storetest.SampleFolder(t, "x")
	root := t.TempDir()
	d := openDisk(t, store.Config{Root: root})
	c := create(t, d, x, "")
	must(t, syscall.Mkfifo(filepath.Join(root, "partial", x.M.ID().String(), "a"), 0o644))
	wantErr(t, c.WritePiece(1, x.Piece(t, 1)), syscall.ENOTDIR)
	must(t, c.WritePiece(3, x.Piece(t, 3)))
	must(t, c.Close())
	storetest.WantPieces(t, create(t, d, x, ""), x, 3)
}

func TestPlantedPartialFolder(t *testing.T) {
	x := storetest.SampleFolder(t, "x")
	root, outside := t.TempDir(), t.TempDir()
	d := openDisk(t, store.Config{Root: root})
	must(t, os.Symlink(outside, filepath.Join(root, "partial", x.M.ID().String())))
	if _, err := d.Create(x.M, ""); err == nil {
		t.Fatal("the partial folder is a link out of the store, and was taken")
	}
	wantTree(t, outside)
}

func TestPlantedInFiles(t *testing.T) {
	x := storetest.SampleFile(t, "x", 100)
	root, outside := t.TempDir(), t.TempDir()
	d := openDisk(t, store.Config{Root: root})
	files := filepath.Join(root, "files")
	must(t, os.Symlink(outside, filepath.Join(files, "out")))
	must(t, os.Symlink("../state", filepath.Join(files, "state")))
	for _, dest := range []string{"out", "out/x", "state/x"} {
		_, err := d.Create(x.M, dest)
		wantErr(t, err, shoal.ErrConflict)
	}

	c := create(t, d, x, "late/x")
	storetest.Fill(t, c, x)
	must(t, os.Symlink(outside, filepath.Join(files, "late")))
	wantErr(t, c.Publish(), shoal.ErrConflict)
	wantTree(t, outside)
}

// Published data that was replaced by a link is neither served nor followed.
func TestPublishedIsReplacedByALink(t *testing.T) {
	for _, x := range []storetest.Sample{storetest.SampleFile(t, "x", 100), storetest.SampleFolder(t, "x")} {
		root := t.TempDir()
		d := openDisk(t, store.Config{Root: root})
		path := published(t, d, x, "in/x").Path()
		must(t, d.Close())
		outside := filepath.Join(t.TempDir(), "x")
		must(t, os.Rename(path, outside))
		must(t, os.Symlink(outside, path))
		before := tree(t, filepath.Dir(outside))

		d = openDisk(t, store.Config{Root: root})
		c, err := d.Open(x.M.ID())
		must(t, err)
		storetest.WantPieces(t, c, x)
		_, err = d.Create(x.M, "")
		wantErr(t, err, shoal.ErrConflict)
		must(t, d.Delete(x.M.ID()))
		wantTree(t, filepath.Dir(outside), before...)
	}
}

// No link within the store leads from one content's folder to another's: nothing is read
// through it, and nothing removed.
func TestPublishedFolderIsReplacedByALink(t *testing.T) {
	for _, tt := range []struct {
		name, folder, link string // below the files folder
		left               []int
		refused            bool // to delete
	}{
		{"folder", "x/a", "../other", []int{3, 4, 5}, true},
		{"all", "x", "other", nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := t.TempDir()
			d := openDisk(t, store.Config{Root: root})
			x := storetest.SampleFolder(t, "x")
			c := published(t, d, x, "x")
			files := filepath.Join(root, "files")
			other := filepath.Join(files, "other")
			must(t, os.Rename(filepath.Join(files, tt.folder), other))
			must(t, os.Symlink(tt.link, filepath.Join(files, tt.folder)))
			before := tree(t, other)

			if c.ReadAt(make([]byte, 1), 0, 0) == nil {
				t.Error("read through the link")
			}
			must(t, d.Recheck(t.Context(), x.M.ID(), nil))
			storetest.WantPieces(t, c, x, tt.left...)
			must(t, d.Close())

			d = openDisk(t, store.Config{Root: root})
			c, err := d.Open(x.M.ID())
			must(t, err)
			storetest.WantPieces(t, c, x, tt.left...)
			if err := d.Delete(x.M.ID()); (err != nil) != tt.refused {
				t.Errorf("delete: %v", err)
			}
			wantTree(t, other, before...)
		})
	}
}
