package store_test

import (
	"os"
	"slices"
	"syscall"
	"testing"

	"github.com/shoal-cdn/shoal/node/store"
	"github.com/shoal-cdn/shoal/node/store/storetest"
)

// A full disk is an error of WritePiece or Sync; the piece is not held, and
// the content goes on once there is space.
func TestDiskFull(t *testing.T) {
	root := t.TempDir()
	if err := syscall.Mount("shoal-test", root, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("needs root to mount a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(root, 0); err != nil {
			t.Error(err)
		}
	})
	d := openDisk(t, store.Config{Root: root})
	x := storetest.SampleFile(t, "x", 40*storetest.PieceLength) // 1.25 MiB
	c := create(t, d, x, "")
	var written []int
	var full error
	for i := range x.M.NumPieces() {
		if full = c.WritePiece(i, x.Piece(t, i)); full != nil {
			break
		}
		written = append(written, i)
	}
	wantErr(t, full, syscall.ENOSPC)
	if len(written) < 20 {
		t.Fatalf("only %d pieces fit", len(written))
	}
	storetest.WantPieces(t, c, x, written...)
	if err := c.Sync(); err != nil {
		wantErr(t, err, syscall.ENOSPC) // no space for the bitmap
	}
	storetest.WantPieces(t, c, x, written...)
	must(t, syscall.Mount("shoal-test", root, "tmpfs", syscall.MS_REMOUNT, "size=4m"))
	for i := range x.M.NumPieces() {
		if !slices.Contains(written, i) {
			must(t, c.WritePiece(i, x.Piece(t, i)))
		}
	}
	must(t, c.Publish())
	storetest.WantPieces(t, c, x, x.All()...)
	if _, err := os.Stat(c.Path()); err != nil {
		t.Fatal(err)
	}
	must(t, d.Close())
}
