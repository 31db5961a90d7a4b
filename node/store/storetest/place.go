package storetest

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/store"
)

func testCreateResumes(t *testing.T, s store.Store) {
	x := SampleFolder(t, "folder")
	c := create(t, s, x.M, "some/where")
	must(t, c.WritePiece(3, x.Piece(t, 3)))
	if !strings.HasSuffix(c.Path(), filepath.FromSlash("/some/where")) {
		t.Fatalf("path %q", c.Path())
	}
	WantPieces(t, create(t, s, x.M, "some/where"), x, 3) // still open
	must(t, c.Close())
	WantPieces(t, create(t, s, x.M, ""), x, 3) // "" is wherever it is
	_, err := s.Create(x.M, "elsewhere")
	wantErr(t, err, shoal.ErrConflict)
	if !strings.Contains(err.Error(), `"some/where"`) {
		t.Fatalf("error %q does not say where the content is", err)
	}
}

func testInvalidDest(t *testing.T, s store.Store) {
	x := SampleFile(t, "f", PieceLength)
	for _, dest := range []string{
		"/abs", "..", "../x", "a/../../x", "a/..", ".", "./a", "a//b", "a/", "a/./b", "/", `a\b`, "a\x00b", "a\nb", "\xff",
		strings.Repeat("a/", 4096) + "a",
	} {
		_, err := s.Create(x.M, dest)
		wantErr(t, err, shoal.ErrInvalid)
		if !strings.Contains(err.Error(), "relative to the node's files folder") {
			t.Fatalf("error %q gives no hint", err)
		}
	}
	if ids, _ := s.List(); len(ids) != 0 {
		t.Fatalf("contents %v are left behind", ids)
	}
}

func testDestConflict(t *testing.T, s store.Store) {
	x, y := SampleFile(t, "x", PieceLength), SampleFile(t, "y", PieceLength)
	create(t, s, x.M, "a/b")
	for _, dest := range []string{"a/b", "a", "a/b/c"} {
		_, err := s.Create(y.M, dest)
		wantErr(t, err, shoal.ErrConflict)
		for _, part := range []string{`"` + dest + `"`, x.M.ID().String()} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("error %q does not name %s", err, part)
			}
		}
	}
	create(t, s, y.M, "a/bc")
	must(t, s.Delete(x.M.ID()))
	z := SampleFile(t, "z", PieceLength)
	create(t, s, z.M, "a/b") // free again
}

func testPublish(t *testing.T, s store.Store) {
	x := SampleFolder(t, "folder")
	c := create(t, s, x.M, "to/here")
	must(t, c.WritePiece(1, x.Piece(t, 1)))
	wantErr(t, c.Publish(), shoal.ErrConflict)
	Fill(t, c, x)
	path := c.Path()
	must(t, c.Publish())
	must(t, c.Publish())
	if c.Path() != path {
		t.Fatalf("path changed from %q to %q", path, c.Path())
	}
	WantPieces(t, c, x, x.All()...)
	must(t, c.WritePiece(0, x.Piece(t, 0))) // held: no effect
	must(t, c.Close())
	c = create(t, s, x.M, "to/here")
	WantPieces(t, c, x, x.All()...)
	must(t, c.Publish())
	must(t, s.Recheck(t.Context(), x.M.ID(), nil))
	WantPieces(t, c, x, x.All()...)
}

func testDelete(t *testing.T, s store.Store) {
	x, y := SampleFolder(t, "x"), SampleFile(t, "y", PieceLength)
	create(t, s, x.M, "")
	c := create(t, s, y.M, "")
	Fill(t, c, y)
	must(t, c.Publish())

	want := []shoal.ContentID{x.M.ID(), y.M.ID()}
	slices.SortFunc(want, func(a, b shoal.ContentID) int { return strings.Compare(a.String(), b.String()) })
	got, err := s.List()
	must(t, err)
	if !slices.Equal(got, want) {
		t.Fatalf("list %v, want %v", got, want)
	}
	must(t, s.Delete(y.M.ID()))
	wantErr(t, s.Delete(y.M.ID()), shoal.ErrNotFound)
	wantErr(t, c.ReadAt(make([]byte, 1), 0, 0), shoal.ErrNotFound)
	wantErr(t, c.WritePiece(0, y.Piece(t, 0)), shoal.ErrNotFound)
	wantErr(t, c.Publish(), shoal.ErrNotFound)
	must(t, c.Close())
	got, err = s.List()
	must(t, err)
	if !slices.Equal(got, []shoal.ContentID{x.M.ID()}) {
		t.Fatalf("list %v", got)
	}
	WantPieces(t, create(t, s, y.M, ""), y) // nothing is left of it
}
