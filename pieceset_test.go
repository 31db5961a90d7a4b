package shoal

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"
)

func set(n int, pieces ...int) *PieceSet {
	s := NewPieceSet(n)
	for _, p := range pieces {
		s.Add(p)
	}
	return s
}

func TestPieceSet(t *testing.T) {
	s := set(130, 0, 63, 64, 129)
	if s.Add(64) || !s.Remove(63) || s.Remove(63) || s.Count() != 3 || s.Len() != 130 || s.Full() {
		t.Fatalf("count %d", s.Count())
	}
	if got := slices.Collect(s.All()); !slices.Equal(got, []int{0, 64, 129}) {
		t.Errorf("All: %v", got)
	}
	if got := slices.Collect(s.AndNot(set(130, 64, 65))); !slices.Equal(got, []int{0, 129}) {
		t.Errorf("AndNot: %v", got)
	}
	if s.Has(-1) || s.Has(130) || !s.Has(129) {
		t.Error("Has beyond the ends")
	}
	c := s.Clone()
	c.Add(1)
	if s.Has(1) {
		t.Error("the clone shares its words")
	}
	for i := range s.All() {
		s.Remove(i) // allowed for pieces already yielded
	}
	if s.Count() != 0 {
		t.Errorf("count %d after removing all", s.Count())
	}
}

func TestPieceSetEdges(t *testing.T) {
	for _, n := range []int{0, 1, 7, 8, 63, 64, 65, 128} {
		full := FullPieceSet(n)
		if !full.Full() || len(slices.Collect(full.All())) != n || len(slices.Collect(full.Missing())) != 0 {
			t.Errorf("full set of %d: %v", n, slices.Collect(full.All()))
		}
		empty := NewPieceSet(n)
		if empty.Full() != (n == 0) || len(slices.Collect(empty.Missing())) != n {
			t.Errorf("empty set of %d misses %v", n, slices.Collect(empty.Missing()))
		}
		// A word beyond the end must not count: adding what is there is no news.
		for i := range n {
			if full.Add(i) {
				t.Errorf("full set of %d lacks %d", n, i)
			}
		}
	}
	for _, f := range []func(){
		func() { NewPieceSet(-1) }, func() { NewPieceSet(MaxPieces + 1) },
		func() { NewPieceSet(3).Add(3) }, func() { NewPieceSet(3).Remove(-1) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f()
		}()
	}
}

func TestBitfield(t *testing.T) { // BEP 3 "bitfield"
	tests := []struct {
		n    int
		bits []byte
		want []int // nil: refused
	}{
		{0, []byte{}, []int{}},
		{1, []byte{0x80}, []int{0}},
		{9, []byte{0x01, 0x80}, []int{7, 8}},
		{16, []byte{0xff, 0x00}, []int{0, 1, 2, 3, 4, 5, 6, 7}},
		{1, []byte{0x40}, nil},
		{9, []byte{0, 0x40}, nil},
		{9, []byte{0}, nil},
		{8, []byte{0, 0}, nil},
		{0, []byte{0}, nil},
		{-1, nil, nil},
		{MaxPieces + 1, make([]byte, MaxPieces/8+1), nil},
	}
	for _, tt := range tests {
		s, err := PieceSetFromBitfield(tt.n, tt.bits)
		if tt.want == nil {
			if !errors.Is(err, ErrInvalid) {
				t.Errorf("%d pieces, %x: error %v", tt.n, tt.bits, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%d pieces, %x: %v", tt.n, tt.bits, err)
			continue
		}
		if got := slices.Collect(s.All()); !slices.Equal(got, tt.want) || s.Count() != len(tt.want) {
			t.Errorf("%d pieces, %x: %v, want %v", tt.n, tt.bits, got, tt.want)
		}
		if got := s.Bitfield(); !slices.Equal(got, tt.bits) {
			t.Errorf("%d pieces: bitfield %x, want %x", tt.n, got, tt.bits)
		}
	}
}

func TestPiecesJSON(t *testing.T) { // M2
	for want, s := range map[string]*PieceSet{
		`{"total":0,"count":0}`:                NewPieceSet(0),
		`{"total":9,"count":0}`:                NewPieceSet(9),
		`{"total":9,"count":9}`:                FullPieceSet(9),
		`{"total":9,"count":2,"bits":"gIA="}`:  set(9, 0, 8),
		`{"total":8,"count":1,"bits":"gA=="}`:  set(8, 0),
		`{"total":24,"count":1,"bits":"AAAB"}`: set(24, 23),
	} {
		b, err := json.Marshal(s.Pieces())
		if err != nil || string(b) != want {
			t.Errorf("%s, %v, want %s", b, err, want)
		}
		var p Pieces
		if err := json.Unmarshal(b, &p); err != nil {
			t.Fatal(err)
		}
		got, err := p.Set()
		if err != nil || !slices.Equal(got.Bitfield(), s.Bitfield()) || got.Len() != s.Len() {
			t.Errorf("%s reads as %v, %v", b, got, err)
		}
	}
	for _, p := range []Pieces{
		{Total: -1},
		{Total: MaxPieces + 1, Count: 1},
		{Total: 1, Count: 2},
		{Total: 1, Count: -1},
		{Total: 9, Count: 1},
		{Total: 9, Count: 1, Bits: "gIA="},
		{Total: 9, Count: 2, Bits: "gIC="}, // bits beyond the last byte
		{Total: 9, Count: 2, Bits: "????"},
		{Total: 8, Count: 1, Bits: "gIA="},
		{Total: 7, Count: 1, Bits: "AQ=="},
		{Total: 9, Count: 2, Bits: "gIA=\n\n\n\n"},
	} {
		if _, err := p.Set(); !errors.Is(err, ErrInvalid) {
			t.Errorf("%+v: error %v", p, err)
		}
	}
}
