package store_test

import (
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal/node/store"
	"github.com/shoal-cdn/shoal/node/store/storetest"
)

// takeDescriptors leaves the process none to open, until free is called or the test ends.
func takeDescriptors(t *testing.T) (free func()) {
	t.Helper()
	var limit syscall.Rlimit
	must(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	lower := limit
	lower.Cur = uint64(openFiles(t) + 64)
	must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &lower))
	var taken []*os.File
	free = func() {
		for _, f := range taken {
			f.Close()
		}
		taken = nil
		must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit))
	}
	t.Cleanup(free)
	for {
		f, err := os.Open(os.DevNull)
		if err != nil {
			wantErr(t, err, syscall.EMFILE)
			return free
		}
		taken = append(taken, f)
	}
}

// A folder that cannot be opened for want of descriptors is not taken for one that is
// missing: nothing in it is given up. What lies in the place itself takes none.
func TestDoubtWithoutDescriptors(t *testing.T) {
	for _, tt := range []struct {
		x    storetest.Sample
		want error
	}{
		{storetest.SampleFolder(t, "x"), syscall.EMFILE},
		{storetest.SampleFile(t, "y", storetest.PieceLength), nil},
	} {
		d := openDisk(t, store.Config{SyncInterval: time.Hour})
		c := create(t, d, tt.x, "")
		storetest.Fill(t, c, tt.x)
		free := takeDescriptors(t)
		wantErr(t, store.DoubtPartial(c), tt.want)
		free()
		storetest.WantPieces(t, c, tt.x, tt.x.All()...)

		must(t, c.Publish())
		free = takeDescriptors(t)
		wantErr(t, d.Recheck(t.Context(), tt.x.M.ID(), nil), syscall.EMFILE)
		wantErr(t, store.FileTimes(c), tt.want)
		free()
		storetest.WantPieces(t, c, tt.x, tt.x.All()...)
	}
}

// The descriptor that syncs the whole file system is as old as the content: a later one
// would not be told of writing back that has failed before.
func TestSyncAllOpensNothing(t *testing.T) {
	d := openDisk(t, store.Config{SyncInterval: time.Hour})
	x := storetest.SampleTree(t, 100, 1000)
	c := create(t, d, x, "")
	storetest.Fill(t, c, x)
	free := takeDescriptors(t)
	wantErr(t, c.Sync(), syscall.EMFILE) // of the bitmap
	free()
	storetest.WantPieces(t, c, x, x.All()...)
	must(t, c.Sync())
	wantOnDisk(t, d, x, x.All()...)
}
