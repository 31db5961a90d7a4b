package wire

import "encoding/binary"

// The Append functions add one encoded message to b and return it.

// AppendSimple adds a message that is only a type, such as Unchoke.
func AppendSimple(b []byte, t Type) []byte {
	return append(b, 0, 0, 0, 1, byte(t))
}

// AppendKeepAlive adds a message of length 0.
func AppendKeepAlive(b []byte) []byte { return append(b, 0, 0, 0, 0) }

// AppendHave says that a piece can be had here.
func AppendHave(b []byte, piece int) []byte {
	b = head(b, 1+4, Have)
	return binary.BigEndian.AppendUint32(b, uint32(piece))
}

// AppendRange adds a Request, Cancel or Reject of length bytes of a piece.
func AppendRange(b []byte, t Type, piece, begin, length int) []byte {
	b = head(b, requestLen, t)
	b = binary.BigEndian.AppendUint32(b, uint32(piece))
	b = binary.BigEndian.AppendUint32(b, uint32(begin))
	return binary.BigEndian.AppendUint32(b, uint32(length))
}

// AppendBitfield adds a bitfield in the form of BEP 3.
func AppendBitfield(b, bits []byte) []byte {
	return append(head(b, 1+len(bits), Bitfield), bits...)
}

// AppendBlockHeader adds the [BlockHeader] bytes before length bytes of payload.
func AppendBlockHeader(b []byte, piece, begin, length int) []byte {
	b = head(b, blockPrefix+length, Block)
	b = binary.BigEndian.AppendUint32(b, uint32(piece))
	return binary.BigEndian.AppendUint32(b, uint32(begin))
}

// AppendExtended adds an extension message (BEP 10). A body longer than the
// limit is a bug of the caller's, which the receiver will refuse.
func AppendExtended(b []byte, ext byte, body []byte) []byte {
	return append(append(head(b, 2+len(body), Extended), ext), body...)
}

func head(b []byte, length int, t Type) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(length)), byte(t))
}
