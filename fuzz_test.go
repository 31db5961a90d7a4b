package shoal

import (
	"errors"
	"slices"
	"testing"
)

func FuzzDecodeManifest(f *testing.F) {
	for _, tt := range decodeTests() {
		f.Add(twoFiles(f, tt.edit))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := DecodeManifest(b)
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Errorf("error %v", err)
			}
			return
		}
		checkManifest(t, m)
	})
}

func FuzzPieceSetFromBitfield(f *testing.F) {
	f.Add(9, []byte{0x81, 0x80})
	f.Add(0, []byte{})
	f.Fuzz(func(t *testing.T, n int, b []byte) {
		s, err := PieceSetFromBitfield(n, b)
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Errorf("error %v", err)
			}
			return
		}
		if !slices.Equal(s.Bitfield(), b) || s.Len() != n || len(slices.Collect(s.All())) != s.Count() ||
			len(slices.Collect(s.Missing())) != n-s.Count() {
			t.Errorf("%d pieces, %x: reads as %x", n, b, s.Bitfield())
		}
	})
}

func FuzzPiecesSet(f *testing.F) {
	f.Add(9, 2, "gIA=")
	f.Add(9, 9, "")
	f.Fuzz(func(t *testing.T, total, count int, bits string) {
		s, err := Pieces{total, count, bits}.Set()
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Errorf("error %v", err)
			}
			return
		}
		again, err := s.Pieces().Set()
		if err != nil || s.Len() != total || s.Count() != count || !slices.Equal(again.Bitfield(), s.Bitfield()) {
			t.Errorf("%d of %d, %q: reads as %d of %d, again %v", count, total, bits, s.Count(), s.Len(), err)
		}
	})
}

func FuzzParseRate(f *testing.F) {
	for _, s := range []string{"20Mbit", "2.5MB/s", "83.88608Mbps", "0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseRate(s)
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Errorf("error %v", err)
			}
			return
		}
		if again, err := ParseRate(r.String()); r < 0 || err != nil || again != r {
			t.Errorf("%q is %d, %v is %d, %v", s, r, r, again, err)
		}
	})
}

func FuzzParseSize(f *testing.F) {
	for _, s := range []string{"64MiB", "1.5 GB", "7", "9007199254740993"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := ParseSize(s)
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Errorf("error %v", err)
			}
			return
		}
		if again, err := ParseSize(n.String()); n < 0 || err != nil || again != n {
			t.Errorf("%q is %d, %v is %d, %v", s, n, n, again, err)
		}
	})
}
