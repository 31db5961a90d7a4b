package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/shoal-cdn/shoal/node/store"
	"github.com/shoal-cdn/shoal/node/store/storetest"
)

// cached is how much of the file that a content arrives in is in the page cache, in bytes.
func cached(t *testing.T, root string, x storetest.Sample) int {
	t.Helper()
	f, err := os.Open(filepath.Join(root, "partial", x.M.ID().String(), x.M.Files()[0].Path))
	must(t, err)
	defer f.Close()
	var s unix.Cachestat_t
	err = unix.Cachestat(uint(f.Fd()), &unix.CachestatRange{Len: uint64(x.M.Size())}, &s, 0)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	must(t, err)
	return int(s.Cache) * os.Getpagesize()
}

// What nobody reads while it arrives leaves the page cache; from the first read on, all stays.
func TestOnlyWhatIsReadStaysCached(t *testing.T) {
	root := t.TempDir()
	var fs unix.Statfs_t
	must(t, unix.Statfs(root, &fs))
	if fs.Type == unix.TMPFS_MAGIC {
		t.Skip("tmpfs has nowhere else to keep files")
	}
	d := openDisk(t, store.Config{Root: root})
	x := storetest.SampleFile(t, "x", 8*storetest.PieceLength)
	c := create(t, d, x, "")
	write := func(first, end int) {
		t.Helper()
		for i := first; i < end; i++ {
			must(t, c.WritePiece(i, x.Piece(t, i)))
		}
	}
	want := func(bytes int) {
		t.Helper()
		must(t, c.Sync())
		if got := cached(t, root, x); got != bytes {
			t.Errorf("%d bytes are in the page cache, want %d", got, bytes)
		}
	}

	write(0, 4)
	want(0)
	write(4, 6)
	must(t, c.ReadAt(make([]byte, storetest.PieceLength), 5, 0))
	want(2 * storetest.PieceLength)
	write(6, 8)
	want(4 * storetest.PieceLength)
	must(t, c.Close())
	must(t, d.Close())
}
