package store_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/shoal-cdn/shoal/node/store"
	"github.com/shoal-cdn/shoal/node/store/storetest"
)

// A folder that somebody has put a copy in place of, as a restore does, is as good as the
// old one, and only what is missing in it is dropped.
func TestFolderIsReplacedWhileOpen(t *testing.T) {
	d := openDisk(t, store.Config{})
	x := storetest.SampleTree(t, 32, 1000)
	c := published(t, d, x, "x")
	storetest.WantPieces(t, c, x, x.All()...) // reads all, so that all folders are open
	for _, e := range []string{"a", "b"} {
		dir := filepath.Join(c.Path(), e)
		must(t, os.CopyFS(dir+".new", os.DirFS(dir)))
		must(t, os.RemoveAll(dir))
		must(t, os.Rename(dir+".new", dir))
	}
	storetest.WantPieces(t, c, x, x.All()...)

	file, _ := x.M.Locate(0)
	must(t, os.Remove(filepath.Join(c.Path(), filepath.FromSlash(x.M.Files()[file].Path))))
	wantErr(t, c.ReadAt(make([]byte, 1000), 0, 0), fs.ErrNotExist)
	storetest.WantPieces(t, c, x, x.All()[1:]...)
}

// So is one in place of all that was published.
func TestAllIsReplacedWhileOpen(t *testing.T) {
	d := openDisk(t, store.Config{})
	x := storetest.SampleTree(t, 32, 1000)
	c := published(t, d, x, "in/x")
	storetest.WantPieces(t, c, x, x.All()...)
	must(t, os.CopyFS(c.Path()+".new", os.DirFS(c.Path())))
	must(t, os.RemoveAll(c.Path()))
	must(t, os.Rename(c.Path()+".new", c.Path()))
	storetest.WantPieces(t, c, x, x.All()...)
	must(t, d.Recheck(t.Context(), x.M.ID(), nil))
	storetest.WantPieces(t, c, x, x.All()...)
}

// Pieces can be written to a folder that is made anew. Pieces 0 and 1 are in the first.
func TestPartialFolderIsRemovedWhileOpen(t *testing.T) {
	root := t.TempDir()
	d := openDisk(t, store.Config{Root: root})
	x := storetest.SampleTree(t, 32, 1000)
	c := create(t, d, x, "")
	must(t, c.WritePiece(0, x.Piece(t, 0)))
	must(t, c.Sync())
	must(t, os.RemoveAll(filepath.Join(root, "partial", x.M.ID().String(), "a")))
	must(t, c.WritePiece(1, x.Piece(t, 1)))
	must(t, c.Sync())
	wantOnDisk(t, d, x, 0, 1)
	must(t, c.Close())
	storetest.WantPieces(t, create(t, d, x, ""), x, 1)
}
