package storetest

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"testing"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/store"
)

// Run tests an implementation. open returns a new, empty store each time and
// closes it when the test ends.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, s store.Store)
	}{
		{"WriteAndRead", testWriteAndRead},
		{"RangeErrors", testRangeErrors},
		{"WriteTwice", testWriteTwice},
		{"NoPieces", testNoPieces},
		{"Concurrent", testConcurrent},
		{"CreateResumes", testCreateResumes},
		{"InvalidDest", testInvalidDest},
		{"DestConflict", testDestConflict},
		{"Publish", testPublish},
		{"Seed", testSeed},
		{"SeedErrors", testSeedErrors},
		{"SeededFileChanges", testSeededFileChanges},
		{"SeedAgain", testSeedAgain},
		{"CreateWhatIsInPlace", testCreateWhatIsInPlace},
		{"Recheck", testRecheck},
		{"RecheckCancelled", testRecheckCancelled},
		{"Delete", testDelete},
		{"DeleteWhileReading", testDeleteWhileReading},
		{"DeleteInPlace", testDeleteInPlace},
		{"Unknown", testUnknown},
		{"Handles", testHandles},
		{"CloseStore", testCloseStore},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

// Fill writes all of a sample's pieces.
func Fill(t testing.TB, c store.Content, s Sample) {
	t.Helper()
	for i := range s.M.NumPieces() {
		if err := c.WritePiece(i, s.Piece(t, i)); err != nil {
			t.Fatal(err)
		}
	}
}

// WantPieces fails the test unless the content claims exactly these pieces,
// and each reads as it should.
func WantPieces(t testing.TB, c store.Content, s Sample, want ...int) {
	t.Helper()
	if got := slices.Collect(c.Pieces().All()); !slices.Equal(got, want) {
		t.Fatalf("pieces %v, want %v", got, want)
	}
	for _, i := range want {
		got := make([]byte, s.M.PieceSize(i))
		if err := c.ReadAt(got, i, 0); err != nil {
			t.Fatal(err)
		}
		if !s.M.VerifyPiece(i, got) {
			t.Fatalf("piece %d is held, but reads wrong", i)
		}
	}
}

// All is the numbers of all of a sample's pieces.
func (s Sample) All() []int { return slices.Collect(shoal.FullPieceSet(s.M.NumPieces()).All()) }

func wantErr(t testing.TB, err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Fatalf("error %v, want %v", err, kind)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func create(t testing.TB, s store.Store, m *shoal.Manifest, dest string) store.Content {
	t.Helper()
	c, err := s.Create(m, dest)
	must(t, err)
	return c
}

func seed(t testing.TB, s store.Store, x Sample) store.Content {
	t.Helper()
	c, err := s.Seed(x.M, x.Path)
	must(t, err)
	return c
}

func testWriteAndRead(t *testing.T, s store.Store) {
	x := SampleFolder(t, "folder")
	c := create(t, s, x.M, "")
	if got := c.Manifest().ID(); got != x.M.ID() {
		t.Fatalf("manifest of %s", got)
	}
	if c.InPlace() {
		t.Fatal("in place")
	}
	WantPieces(t, c, x)
	wantErr(t, c.ReadAt(make([]byte, 1), 2, 0), shoal.ErrNotFound)
	for _, i := range []int{4, 2, 0} {
		data := x.Piece(t, i)
		must(t, c.WritePiece(i, data))
		clear(data) // the store must not keep it
	}
	WantPieces(t, c, x, 0, 2, 4)
	c.Pieces().Add(1) // a copy
	WantPieces(t, c, x, 0, 2, 4)
	wantErr(t, c.ReadAt(make([]byte, 1), 1, 0), shoal.ErrNotFound)

	part := make([]byte, 1000)
	must(t, c.ReadAt(part, 2, 77))
	if !bytes.Equal(part, x.Piece(t, 2)[77:1077]) {
		t.Fatal("a part of a piece reads wrong")
	}
	must(t, c.Sync())
	Fill(t, c, x)
	WantPieces(t, c, x, x.All()...)
}

func testRangeErrors(t *testing.T, s store.Store) {
	x := SampleFile(t, "f", PieceLength+10)
	c := create(t, s, x.M, "")
	for name, err := range map[string]error{
		"write piece -1":       c.WritePiece(-1, make([]byte, PieceLength)),
		"write piece 2":        c.WritePiece(2, make([]byte, PieceLength)),
		"write half a piece":   c.WritePiece(0, make([]byte, PieceLength/2)),
		"write nothing":        c.WritePiece(0, nil),
		"write too much":       c.WritePiece(1, make([]byte, 11)),
		"read piece -1":        c.ReadAt(nil, -1, 0),
		"read piece 2":         c.ReadAt(nil, 2, 0),
		"read at -1":           c.ReadAt(make([]byte, 1), 0, -1),
		"read over the end":    c.ReadAt(make([]byte, 2), 0, PieceLength-1),
		"read last over end":   c.ReadAt(make([]byte, 11), 1, 0),
		"read behind the end":  c.ReadAt(make([]byte, 1), 1, 1<<62),
		"read over max offset": c.ReadAt(make([]byte, 2), 1, 1<<63-1),
	} {
		if !errors.Is(err, shoal.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", name, err)
		}
	}
	WantPieces(t, c, x)
}

func testWriteTwice(t *testing.T, s store.Store) {
	x := SampleFile(t, "f", 2*PieceLength)
	c := create(t, s, x.M, "")
	must(t, c.WritePiece(1, x.Piece(t, 1)))
	must(t, c.WritePiece(1, make([]byte, PieceLength))) // held: no effect
	WantPieces(t, c, x, 1)
}

// A content may consist of empty files only.
func testNoPieces(t *testing.T, s store.Store) {
	x := SampleFile(t, "nothing", 0)
	c := create(t, s, x.M, "")
	if !c.Pieces().Full() {
		t.Fatal("not full")
	}
	must(t, c.Sync())
	must(t, c.Publish())
	must(t, s.Recheck(t.Context(), x.M.ID(), nil))
	must(t, s.Delete(x.M.ID()))
	seed(t, s, x)
}

func testUnknown(t *testing.T, s store.Store) {
	id := shoal.ContentID{1}
	_, err := s.Open(id)
	wantErr(t, err, shoal.ErrNotFound)
	wantErr(t, s.Delete(id), shoal.ErrNotFound)
	wantErr(t, s.Recheck(t.Context(), id, nil), shoal.ErrNotFound)
}

func testHandles(t *testing.T, s store.Store) {
	x := SampleFile(t, "f", 2*PieceLength)
	a := create(t, s, x.M, "")
	b, err := s.Open(x.M.ID())
	must(t, err)
	must(t, a.WritePiece(0, x.Piece(t, 0)))
	must(t, a.Close())
	must(t, a.Close())
	WantPieces(t, b, x, 0) // closing one leaves the other
	must(t, b.Close())
	wantErr(t, b.ReadAt(make([]byte, 1), 0, 0), os.ErrClosed)
	wantErr(t, b.WritePiece(1, x.Piece(t, 1)), os.ErrClosed)
	wantErr(t, b.Publish(), os.ErrClosed)
	wantErr(t, b.Sync(), os.ErrClosed)

	c, err := s.Open(x.M.ID())
	must(t, err)
	WantPieces(t, c, x, 0)
	must(t, b.Close())
	WantPieces(t, c, x, 0)
}

func testCloseStore(t *testing.T, s store.Store) {
	x, y := SampleFile(t, "x", PieceLength), SampleFile(t, "y", PieceLength)
	c := create(t, s, x.M, "")
	must(t, s.Close())
	must(t, s.Close())
	must(t, c.Close())
	wantErr(t, c.ReadAt(make([]byte, 1), 0, 0), os.ErrClosed)
	_, err := s.Open(x.M.ID())
	wantErr(t, err, os.ErrClosed)
	_, err = s.Create(y.M, "")
	wantErr(t, err, os.ErrClosed)
	_, err = s.Seed(y.M, y.Path)
	wantErr(t, err, os.ErrClosed)
	_, err = s.List()
	wantErr(t, err, os.ErrClosed)
	wantErr(t, s.Delete(x.M.ID()), os.ErrClosed)
}
