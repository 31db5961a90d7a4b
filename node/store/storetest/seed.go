package storetest

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/store"
)

func testSeed(t *testing.T, s store.Store) {
	for _, x := range []Sample{SampleFile(t, "file", PieceLength+1), SampleFolder(t, "folder")} {
		c := seed(t, s, x)
		if !c.InPlace() || c.Path() != x.Path {
			t.Fatalf("in place: %v, path %q", c.InPlace(), c.Path())
		}
		WantPieces(t, c, x, x.All()...)
		must(t, c.WritePiece(0, make([]byte, x.M.PieceSize(0)))) // held: no effect
		must(t, c.Sync())
		must(t, c.Publish())
		must(t, c.Close())
		c, err := s.Open(x.M.ID())
		must(t, err)
		WantPieces(t, c, x, x.All()...)
	}
}

func testSeedErrors(t *testing.T, s store.Store) {
	x, y := SampleFolder(t, "x"), SampleFile(t, "y", PieceLength)
	_, err := s.Seed(x.M, "x")
	wantErr(t, err, shoal.ErrInvalid)
	_, err = s.Seed(x.M, x.Path+"/../x")
	wantErr(t, err, shoal.ErrInvalid)
	_, err = s.Seed(x.M, x.Path+".gone")
	wantErr(t, err, shoal.ErrNotFound)
	must(t, os.Truncate(y.Path, 1))
	_, err = s.Seed(y.M, y.Path)
	wantErr(t, err, shoal.ErrChanged)
	must(t, os.Remove(x.File(0)))
	_, err = s.Seed(x.M, x.Path)
	wantErr(t, err, shoal.ErrChanged)
	if ids, _ := s.List(); len(ids) != 0 {
		t.Fatalf("contents %v are left behind", ids)
	}

	z := SampleFile(t, "z", PieceLength)
	create(t, s, z.M, "")
	_, err = s.Seed(z.M, z.Path)
	wantErr(t, err, shoal.ErrConflict)
}

// A change of a seeded file is noticed by its size or time, and concerns
// that file only.
func testSeededFileChanges(t *testing.T, s store.Store) {
	for name, change := range map[string]func(path string) error{
		"touched":   func(p string) error { return os.Chtimes(p, time.Time{}, time.Unix(1, 0)) },
		"truncated": func(p string) error { return os.Truncate(p, 10) },
		"extended":  func(p string) error { return os.Truncate(p, 1<<20) },
	} {
		t.Run(name, func(t *testing.T) {
			x := SampleFolder(t, name)
			c := seed(t, s, x)
			must(t, change(x.File(2))) // a/two, pieces 1 and 2
			wantErr(t, c.ReadAt(make([]byte, PieceLength), 2, 0), shoal.ErrChanged)
			WantPieces(t, c, x, 0, 3, 4, 5)
			wantErr(t, c.ReadAt(make([]byte, 1), 1, 0), shoal.ErrNotFound)
			wantErr(t, c.WritePiece(1, make([]byte, PieceLength)), shoal.ErrConflict)
		})
	}
}

func testSeedAgain(t *testing.T, s store.Store) {
	x := SampleFile(t, "f", PieceLength)
	c := seed(t, s, x)
	moved := filepath.Join(t.TempDir(), "moved")
	must(t, os.Rename(x.Path, moved))
	must(t, os.Chtimes(moved, time.Time{}, time.Unix(1, 0)))
	x.Path = moved
	again := seed(t, s, x)
	WantPieces(t, again, x, 0)
	WantPieces(t, c, x, 0) // the handle that was open follows
	if c.Path() != moved {
		t.Fatalf("path %q", c.Path())
	}
}

func testCreateWhatIsInPlace(t *testing.T, s store.Store) {
	x := SampleFile(t, "f", PieceLength)
	c := seed(t, s, x)
	got := create(t, s, x.M, "")
	if !got.InPlace() {
		t.Fatal("not in place")
	}
	WantPieces(t, got, x, 0)
	_, err := s.Create(x.M, "copy")
	wantErr(t, err, shoal.ErrConflict)
	must(t, os.Truncate(x.Path, 1))
	wantErr(t, c.ReadAt(make([]byte, 2), 0, 0), shoal.ErrChanged)
	_, err = s.Create(x.M, "")
	wantErr(t, err, shoal.ErrConflict)
}

// A change that leaves size and time alone is only found by hashing.
func testRecheck(t *testing.T, s store.Store) {
	x := SampleFolder(t, "folder")
	c := seed(t, s, x)
	info, err := os.Stat(x.File(2))
	must(t, err)
	good, err := os.ReadFile(x.File(2))
	must(t, err)
	bad := append([]byte(nil), good...)
	bad[PieceLength] ^= 1 // in piece 2
	rewrite := func(data []byte) {
		must(t, os.WriteFile(x.File(2), data, 0o644))
		must(t, os.Chtimes(x.File(2), time.Time{}, info.ModTime()))
	}
	rewrite(bad)
	var last, calls int64
	must(t, s.Recheck(t.Context(), x.M.ID(), func(done, total int64) {
		if done <= last || total != x.M.Size() {
			t.Errorf("progress %d of %d after %d", done, total, last)
		}
		last = done
		calls++
	}))
	if last != x.M.Size() || calls == 0 {
		t.Errorf("progress ended at %d", last)
	}
	WantPieces(t, c, x, 0, 1, 3, 4, 5)
	rewrite(good)
	must(t, s.Recheck(t.Context(), x.M.ID(), nil))
	WantPieces(t, c, x, x.All()...)

	// Right data with another time is right.
	must(t, os.Chtimes(x.File(2), time.Time{}, time.Unix(1, 0)))
	wantErr(t, c.ReadAt(make([]byte, 1), 1, 0), shoal.ErrChanged)
	must(t, s.Recheck(t.Context(), x.M.ID(), nil))
	WantPieces(t, c, x, x.All()...)
}

func testDeleteInPlace(t *testing.T, s store.Store) {
	x := SampleFolder(t, "folder")
	seed(t, s, x)
	must(t, s.Delete(x.M.ID()))
	for i := range x.M.NumPieces() {
		if !x.M.VerifyPiece(i, x.Piece(t, i)) {
			t.Fatalf("piece %d of the user's files is gone", i)
		}
	}
	WantPieces(t, seed(t, s, x), x, x.All()...)
}
