package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/shoal-cdn/shoal"
)

const bitmapMagic = "shoalhv1"

const bitmapOverhead = len(bitmapMagic) + 4 + sha256.Size // bytes besides the bitfield

// encodeBitmap is the form of state/<id>.have that the package comment gives.
func encodeBitmap(id shoal.ContentID, s *shoal.PieceSet) []byte {
	b := make([]byte, 0, bitmapOverhead+(s.Len()+7)/8)
	b = append(b, bitmapMagic...)
	b = binary.BigEndian.AppendUint32(b, uint32(s.Len()))
	b = append(b, s.Bitfield()...)
	return append(b, bitmapSum(id, b)...)
}

// decodeBitmap reads a bitmap of n pieces; anything but what encodeBitmap
// wrote for this content is an error of kind [shoal.ErrCorrupt].
func decodeBitmap(id shoal.ContentID, n int, b []byte) (*shoal.PieceSet, error) {
	bad := func(why string) error { return fmt.Errorf("bitmap: %w: %s", shoal.ErrCorrupt, why) }
	if len(b) != bitmapOverhead+(n+7)/8 {
		return nil, bad("wrong length")
	}
	body, sum := b[:len(b)-sha256.Size], b[len(b)-sha256.Size:]
	head, field := body[:len(bitmapMagic)+4], body[len(bitmapMagic)+4:]
	switch {
	case !bytes.HasPrefix(head, []byte(bitmapMagic)):
		return nil, bad("wrong magic")
	case binary.BigEndian.Uint32(head[len(bitmapMagic):]) != uint32(n):
		return nil, bad("wrong number of pieces")
	case !bytes.Equal(sum, bitmapSum(id, body)):
		return nil, bad("wrong checksum")
	}
	s, err := shoal.PieceSetFromBitfield(n, field)
	if err != nil {
		return nil, bad(err.Error())
	}
	return s, nil
}

// bitmapSum covers the ID so that one content's bitmap never passes for another's.
func bitmapSum(id shoal.ContentID, body []byte) []byte {
	h := sha256.New()
	h.Write(id[:])
	h.Write(body)
	return h.Sum(nil)
}
