package uploads

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"

	"github.com/shoal-cdn/shoal"
)

// Sum is a checksum of a file's bytes: its CRC-32 and its CRC-32C, which together are the CRC of the product of both
// polynomials, so that other bytes go unnoticed once in 2^64. It finds what servers have written
// over each other, at an eighth of what a SHA-256 costs. It is no proof against forgery: who could
// forge it may send what they like. The zero value is that of no bytes; sums are compared with ==.
type Sum struct{ ieee, castagnoli uint32 }

// Write adds bytes; it never fails.
func (s *Sum) Write(p []byte) (int, error) {
	s.ieee = crc32.Update(s.ieee, crc32.IEEETable, p)
	s.castagnoli = crc32.Update(s.castagnoli, castagnoli, p)
	return len(p), nil
}

// String is 16 hexadecimal digits.
func (s Sum) String() string { return fmt.Sprintf("%08x%08x", s.ieee, s.castagnoli) }

// ParseSum reads what String has made. The error is of kind [shoal.ErrInvalid].
func ParseSum(text string) (Sum, error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != 8 {
		return Sum{}, fmt.Errorf("checksum: %w: want 16 hexadecimal digits", shoal.ErrInvalid)
	}
	return Sum{binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])}, nil
}
