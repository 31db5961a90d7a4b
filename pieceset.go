package shoal

import (
	"encoding/base64"
	"fmt"
	"iter"
	"math"
	"math/bits"
	"slices"
)

// MaxPieces bounds the number of pieces of a content. With the largest piece
// length it allows 16 TiB; its bitfield takes 128 KiB, its hashes 32 MiB.
const MaxPieces = 1 << 20

// PieceSet is a set of piece numbers below a fixed length. It is not safe for
// concurrent use while it is written.
type PieceSet struct {
	words []uint64
	n     int // length: numbers run from 0 to n-1
	count int
}

// NewPieceSet returns an empty set for n pieces, 0 ≤ n ≤ [MaxPieces].
func NewPieceSet(n int) *PieceSet {
	if n < 0 || n > MaxPieces {
		panic(fmt.Sprintf("shoal: piece set of length %d", n))
	}
	return &PieceSet{words: make([]uint64, (n+63)/64), n: n}
}

// FullPieceSet returns a set that has all of n pieces.
func FullPieceSet(n int) *PieceSet {
	s := NewPieceSet(n)
	for i := range s.words {
		s.words[i] = s.mask(i)
	}
	s.count = n
	return s
}

// mask has the bits of word i that stand for a piece.
func (s *PieceSet) mask(i int) uint64 {
	if rest := s.n - i*64; rest < 64 {
		return 1<<rest - 1
	}
	return math.MaxUint64
}

// Len is the number of pieces there can be.
func (s *PieceSet) Len() int { return s.n }

// Count is the number of pieces in the set.
func (s *PieceSet) Count() int { return s.count }

// Full reports whether every piece is in the set.
func (s *PieceSet) Full() bool { return s.count == s.n }

// Has reports whether piece i is in the set; false where i is out of range.
func (s *PieceSet) Has(i int) bool {
	return uint(i) < uint(s.n) && s.words[i/64]&(1<<(i%64)) != 0
}

// Add puts piece i in the set and reports whether it was absent.
// It panics where i is out of range.
func (s *PieceSet) Add(i int) bool {
	s.check(i)
	w, b := &s.words[i/64], uint64(1)<<(i%64)
	if *w&b != 0 {
		return false
	}
	*w |= b
	s.count++
	return true
}

// Remove takes piece i out and reports whether it was present.
// It panics where i is out of range.
func (s *PieceSet) Remove(i int) bool {
	s.check(i)
	w, b := &s.words[i/64], uint64(1)<<(i%64)
	if *w&b == 0 {
		return false
	}
	*w &^= b
	s.count--
	return true
}

func (s *PieceSet) check(i int) {
	if uint(i) >= uint(s.n) {
		panic(fmt.Sprintf("shoal: piece %d of %d", i, s.n))
	}
}

// Clone returns an independent copy.
func (s *PieceSet) Clone() *PieceSet {
	c := *s
	c.words = slices.Clone(s.words)
	return &c
}

// All yields the pieces in the set in ascending order. The set must not
// change while it is walked, but for pieces already yielded.
func (s *PieceSet) All() iter.Seq[int] { return s.AndNot(nil) }

// AndNot yields, in ascending order, the pieces in s that are not in o; a nil
// o is empty. Both must have the same length, and not change while they are
// walked, but for pieces already yielded.
func (s *PieceSet) AndNot(o *PieceSet) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i, w := range s.words {
			if o != nil {
				w &^= o.words[i]
			}
			for ; w != 0; w &= w - 1 {
				if !yield(i*64 + bits.TrailingZeros64(w)) {
					return
				}
			}
		}
	}
}

// Missing yields the pieces not in the set in ascending order. The set must
// not change while it is walked, but for pieces already yielded.
func (s *PieceSet) Missing() iter.Seq[int] {
	return func(yield func(int) bool) {
		for i, w := range s.words {
			for w = ^w & s.mask(i); w != 0; w &= w - 1 {
				if !yield(i*64 + bits.TrailingZeros64(w)) {
					return
				}
			}
		}
	}
}

// Bitfield is the set in the wire form of BEP 3: piece 0 is the highest bit
// of the first byte, spare bits are zero.
func (s *PieceSet) Bitfield() []byte {
	b := make([]byte, (s.n+7)/8)
	for i := range s.All() {
		b[i/8] |= 0x80 >> (i % 8)
	}
	return b
}

// PieceSetFromBitfield reads the wire form of a set for n pieces. A wrong
// length or a spare bit set is an error of kind [ErrInvalid] (BEP 3).
func PieceSetFromBitfield(n int, b []byte) (*PieceSet, error) {
	if n < 0 || n > MaxPieces {
		return nil, fmt.Errorf("bitfield of %d pieces: %w: want 0 to %d", n, ErrInvalid, MaxPieces)
	}
	if len(b) != (n+7)/8 {
		return nil, fmt.Errorf("bitfield of %d bytes for %d pieces: %w", len(b), n, ErrInvalid)
	}
	s := NewPieceSet(n)
	for i, c := range b {
		for ; c != 0; c &= c - 1 {
			p := i*8 + 7 - bits.TrailingZeros8(c)
			if p >= n {
				return nil, fmt.Errorf("bitfield: %w: spare bit %d is set", ErrInvalid, p)
			}
			s.Add(p)
		}
	}
	return s, nil
}

// Pieces is a [PieceSet]'s form in JSON: how many there can be, and which are
// there. All and none, the common cases, take no bitfield.
type Pieces struct {
	Total int    `json:"total"`
	Count int    `json:"count"`
	Bits  string `json:"bits,omitempty"` // base64 of the bitfield; empty for all or none
}

// Pieces returns the JSON form.
func (s *PieceSet) Pieces() Pieces {
	p := Pieces{Total: s.n, Count: s.count}
	if s.count != 0 && s.count != s.n {
		p.Bits = base64.StdEncoding.EncodeToString(s.Bitfield())
	}
	return p
}

// Set reads the JSON form; the error is of kind [ErrInvalid]. It allocates
// for as many pieces as Total says, at most [MaxPieces]: where that comes from
// a stranger, compare it with the manifest first.
func (p Pieces) Set() (*PieceSet, error) {
	if p.Total < 0 || p.Total > MaxPieces || p.Count < 0 || p.Count > p.Total {
		return nil, fmt.Errorf("pieces: %w: %d of %d", ErrInvalid, p.Count, p.Total)
	}
	switch {
	case p.Bits == "" && p.Count == p.Total:
		return FullPieceSet(p.Total), nil
	case p.Bits == "" && p.Count == 0:
		return NewPieceSet(p.Total), nil
	}
	if most := base64.StdEncoding.EncodedLen((p.Total + 7) / 8); len(p.Bits) > most {
		return nil, fmt.Errorf("pieces: %w: %d characters for %d pieces", ErrInvalid, len(p.Bits), p.Total)
	}
	b, err := base64.StdEncoding.Strict().DecodeString(p.Bits)
	if err != nil {
		return nil, fmt.Errorf("pieces: %w: %w", ErrInvalid, err)
	}
	s, err := PieceSetFromBitfield(p.Total, b)
	if err != nil {
		return nil, err
	}
	if s.count != p.Count {
		return nil, fmt.Errorf("pieces: %w: %d bits set, count is %d", ErrInvalid, s.count, p.Count)
	}
	return s, nil
}
