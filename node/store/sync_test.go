package store_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shoal-cdn/shoal/node/store"
	"github.com/shoal-cdn/shoal/node/store/storetest"
)

func wantOnDisk(t *testing.T, d *store.Disk, x storetest.Sample, want ...int) {
	t.Helper()
	s, err := store.OnDisk(d, x.M)
	must(t, err)
	if got := slices.Collect(s.All()); !slices.Equal(got, want) {
		t.Fatalf("the bitmap claims %v, want %v", got, want)
	}
}

// The store syncs by itself some time after a write, or once enough is dirty.
func TestSyncUnasked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := openDisk(t, store.Config{SyncInterval: 3 * time.Second, SyncBytes: 3 * storetest.PieceLength})
		x := storetest.SampleFile(t, "x", 8*storetest.PieceLength)
		c := create(t, d, x, "")
		must(t, c.WritePiece(0, x.Piece(t, 0)))
		time.Sleep(time.Second)
		must(t, c.WritePiece(7, x.Piece(t, 7)))
		time.Sleep(1900 * time.Millisecond)
		synctest.Wait()
		wantOnDisk(t, d, x)
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		wantOnDisk(t, d, x, 0, 7)

		for i := 1; i < 4; i++ {
			synctest.Wait()
			wantOnDisk(t, d, x, 0, 7)
			must(t, c.WritePiece(i, x.Piece(t, i)))
		}
		synctest.Wait()
		wantOnDisk(t, d, x, 0, 1, 2, 3, 7)
		must(t, c.WritePiece(4, x.Piece(t, 4)))
		must(t, c.Close())
		wantOnDisk(t, d, x, 0, 1, 2, 3, 4, 7)
		must(t, d.Close())
	})
}

// breakFolder makes every sync of a content's files in "a" fail.
func breakFolder(t *testing.T, root string, x storetest.Sample) {
	t.Helper()
	must(t, os.RemoveAll(filepath.Join(root, "partial", x.M.ID().String(), "a")))
}

// Pieces that could not be made durable are not held, and somebody is told.
func TestSyncFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		root := t.TempDir()
		d := openDisk(t, store.Config{Root: root, SyncInterval: time.Second})
		x := storetest.SampleFolder(t, "x")
		c := create(t, d, x, "")
		must(t, c.WritePiece(3, x.Piece(t, 3)))
		must(t, c.Sync())

		must(t, c.WritePiece(1, x.Piece(t, 1)))
		breakFolder(t, root, x)
		if c.Sync() == nil {
			t.Fatal("Sync succeeds without the file's folder")
		}
		storetest.WantPieces(t, c, x, 3)
		must(t, c.Sync())
		wantOnDisk(t, d, x, 3)
		must(t, c.Close())

		c = create(t, d, x, "") // makes the folder again
		must(t, c.WritePiece(1, x.Piece(t, 1)))
		breakFolder(t, root, x)
		time.Sleep(time.Second)
		synctest.Wait()
		storetest.WantPieces(t, c, x, 3)
		if c.WritePiece(5, x.Piece(t, 5)) == nil {
			t.Fatal("nobody is told that the sync in the background failed")
		}
		must(t, c.WritePiece(5, x.Piece(t, 5))) // told once
		must(t, c.Sync())
		wantOnDisk(t, d, x, 3, 5)
		must(t, d.Close())
	})
}

// A bitmap that claims too much and cannot be replaced is removed.
func TestBitmapCannotBeWritten(t *testing.T) {
	root := t.TempDir()
	d := openDisk(t, store.Config{Root: root, SyncInterval: time.Hour})
	x := storetest.SampleFile(t, "x", 4*storetest.PieceLength)
	c := create(t, d, x, "")
	storetest.Fill(t, c, x)
	must(t, c.Sync())
	overwrite(t, filepath.Join(root, "partial", x.M.ID().String(), "x"), storetest.PieceLength, []byte("bad"))
	inTheWay := statePath(root, x, ".have.tmp")
	must(t, os.MkdirAll(filepath.Join(inTheWay, "full"), 0o700))
	if d.Recheck(t.Context(), x.M.ID(), nil) == nil {
		t.Fatal("Recheck succeeds without a bitmap")
	}
	storetest.WantPieces(t, c, x, 0, 2, 3)
	if _, err := os.Stat(statePath(root, x, ".have")); !os.IsNotExist(err) {
		t.Fatalf("the wrong bitmap is still there: %v", err)
	}
	must(t, os.RemoveAll(inTheWay))
	must(t, c.Sync())
	wantOnDisk(t, d, x, 0, 2, 3)
}
