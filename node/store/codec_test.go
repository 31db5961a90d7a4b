package store_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/store"
)

var testID = shoal.ContentID{1, 2, 3}

func set(n int, pieces ...int) *shoal.PieceSet {
	s := shoal.NewPieceSet(n)
	for _, p := range pieces {
		s.Add(p)
	}
	return s
}

// The layout is the one the package comment gives.
func TestBitmapLayout(t *testing.T) {
	b := store.EncodeBitmap(testID, set(11, 0, 9))
	if want := []byte("shoalhv1\x00\x00\x00\x0b\x80\x40"); !bytes.HasPrefix(b, want) || len(b) != len(want)+32 {
		t.Fatalf("bitmap %q", b)
	}
}

// A bitmap with any bit flipped, any length cut, or of another content makes
// no claim.
func TestBitmapDamage(t *testing.T) {
	b := store.EncodeBitmap(testID, set(11, 0, 9))
	if _, err := store.DecodeBitmap(testID, 11, b); err != nil {
		t.Fatal(err)
	}
	for i := range len(b) * 8 {
		c := slices.Clone(b)
		c[i/8] ^= 1 << (i % 8)
		_, err := store.DecodeBitmap(testID, 11, c)
		wantErr(t, err, shoal.ErrCorrupt)
	}
	for n := range b {
		_, err := store.DecodeBitmap(testID, 11, b[:n])
		wantErr(t, err, shoal.ErrCorrupt)
	}
	_, err := store.DecodeBitmap(shoal.ContentID{}, 11, b)
	wantErr(t, err, shoal.ErrCorrupt)
	_, err = store.DecodeBitmap(testID, 12, b)
	wantErr(t, err, shoal.ErrCorrupt)
}

func TestJournalDamage(t *testing.T) {
	var b []byte
	for _, p := range []int{4, 0, 4, 9} {
		b = store.AppendJournalRecord(b, testID, p)
	}
	pieces, whole := store.DecodeJournal(testID, 10, b)
	if got := slices.Collect(pieces.All()); !slices.Equal(got, []int{0, 4, 9}) || !whole {
		t.Fatalf("pieces %v, whole %v", got, whole)
	}
	for name, damaged := range map[string][]byte{
		"torn":    b[:len(b)-3],
		"zeros":   append(slices.Clone(b), make([]byte, 8)...),
		"garbage": append([]byte("garbage"), b...),
		"range":   store.AppendJournalRecord(nil, testID, 10),
		"other":   store.AppendJournalRecord(nil, shoal.ContentID{}, 1),
	} {
		if _, whole := store.DecodeJournal(testID, 10, damaged); whole {
			t.Errorf("%s: taken as whole", name)
		}
	}
}

func FuzzBitmap(f *testing.F) {
	f.Add(uint16(11), store.EncodeBitmap(testID, set(11, 0, 9)))
	f.Add(uint16(0), store.EncodeBitmap(testID, set(0)))
	f.Fuzz(func(t *testing.T, n uint16, b []byte) {
		s, err := store.DecodeBitmap(testID, int(n), b)
		if err != nil {
			wantErr(t, err, shoal.ErrCorrupt)
			return
		}
		if !bytes.Equal(store.EncodeBitmap(testID, s), b) {
			t.Fatal("decodes to something else")
		}
	})
}

func FuzzJournal(f *testing.F) {
	f.Add(uint16(11), store.AppendJournalRecord(store.AppendJournalRecord(nil, testID, 10), testID, 3))
	f.Add(uint16(3), []byte("torn"))
	f.Fuzz(func(t *testing.T, n uint16, b []byte) {
		pieces, whole := store.DecodeJournal(testID, int(n), b)
		if pieces.Len() != int(n) || pieces.Count() > len(b)/8 {
			t.Fatalf("%d of %d pieces from %d bytes", pieces.Count(), pieces.Len(), len(b))
		}
		var again []byte
		for len(b) >= 8 && whole {
			again = store.AppendJournalRecord(again, testID, int(b[0])<<24|int(b[1])<<16|int(b[2])<<8|int(b[3]))
			if !bytes.Equal(again, b[:8]) {
				t.Fatal("a record that was not written counts")
			}
			again, b = again[:0], b[8:]
		}
	})
}

func FuzzRecord(f *testing.F) {
	f.Add([]byte(`{"version":1,"dest":"a/b","published":true,"mtimes":[1,-2]}`))
	f.Add([]byte(`{"version":1,"path":"/srv/a"}`))
	f.Add([]byte(`{"version":1,"dest":"../a"}`))
	f.Add([]byte(`{"version":2,"dest":"a"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		dest, path, err := store.CheckRecord(b)
		switch {
		case err != nil:
			if !errors.Is(err, shoal.ErrCorrupt) {
				t.Fatalf("error %v, want ErrCorrupt", err)
			}
		case (dest == "") == (path == ""):
			t.Fatalf("dest %q and path %q", dest, path)
		case dest != "" && !filepath.IsLocal(dest):
			t.Fatalf("dest %q leads out", dest)
		case path != "" && !filepath.IsAbs(path):
			t.Fatalf("path %q is relative", path)
		}
	})
}
