package wire

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/iotest"

	"github.com/shoal-cdn/shoal"
)

var testLimits = Limits{Pieces: 12, PieceLength: 32 << 10}

func newTestReader(b []byte) *Reader {
	return NewReader(bufio.NewReader(bytes.NewReader(b)), testLimits)
}

// encode is the inverse of [Reader.Read].
func encode(m Message, payload []byte) []byte {
	switch m.Type {
	case KeepAlive:
		return AppendKeepAlive(nil)
	case Have:
		return AppendHave(nil, m.Piece)
	case Request, Cancel, Reject:
		return AppendRange(nil, m.Type, m.Piece, m.Begin, m.Length)
	case Bitfield:
		return AppendBitfield(nil, m.Body)
	case Block:
		return append(AppendBlockHeader(nil, m.Piece, m.Begin, m.Length), payload...)
	case Extended:
		return AppendExtended(nil, m.Ext, m.Body)
	}
	return AppendSimple(nil, m.Type)
}

// readAll decodes messages until an error and encodes them again.
func readAll(r *Reader) (out []byte, n int, err error) {
	for ; ; n++ {
		m, err := r.Read()
		if err != nil {
			return out, n, err
		}
		var payload []byte
		if m.Type == Block {
			payload = make([]byte, m.Length)
			if err := r.ReadPayload(payload); err != nil {
				return out, n, err
			}
		}
		out = append(out, encode(m, payload)...)
	}
}

func everyMessage() []byte {
	b := AppendKeepAlive(nil)
	for _, t := range []Type{Choke, Unchoke, Interested, NotInterested, HaveAll, HaveNone} {
		b = AppendSimple(b, t)
	}
	b = AppendHave(b, 11)
	for _, t := range []Type{Request, Cancel, Reject} {
		b = AppendRange(b, t, 3, 16<<10, 16<<10)
	}
	b = AppendBitfield(b, []byte{0xa5, 0xf0})
	b = append(AppendBlockHeader(b, 0, 32<<10-3, 3), "abc"...)
	b = AppendExtended(b, ExtHandshake, nil)
	return AppendExtended(b, ExtPEX, []byte("de"))
}

func TestEveryMessageRoundTrips(t *testing.T) { // BEP 3, 6, 10
	in := everyMessage()
	for name, r := range map[string]io.Reader{
		"whole":         bytes.NewReader(in),
		"byte by byte":  iotest.OneByteReader(bytes.NewReader(in)),
		"data with EOF": iotest.DataErrReader(bytes.NewReader(in)),
	} {
		out, n, err := readAll(NewReader(bufio.NewReader(r), testLimits))
		if err != io.EOF || n != 15 || !bytes.Equal(out, in) {
			t.Errorf("%s: %d messages, %v\n%x, want\n%x", name, n, err, out, in)
		}
	}
	// Cut anywhere inside a message, the end of the stream is an error.
	ends := map[int]bool{0: true}
	for r, pos := newTestReader(in), 0; ; {
		m, err := r.Read()
		if err != nil {
			break
		}
		_ = r.Discard()
		pos += len(encode(m, make([]byte, max(0, m.Length))[:blockLen(m)]))
		ends[pos] = true
	}
	for n := range len(in) {
		_, _, err := readAll(newTestReader(in[:n]))
		if want := io.ErrUnexpectedEOF; ends[n] && err != io.EOF || !ends[n] && !errors.Is(err, want) {
			t.Errorf("cut after %d bytes: %v", n, err)
		}
	}
}

func blockLen(m Message) int {
	if m.Type == Block {
		return m.Length
	}
	return 0
}

func raw(length uint32, body ...byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, length), body...)
}

func TestReaderRefuses(t *testing.T) {
	tests := map[string][]byte{
		"choke with a body":         raw(2, byte(Choke), 0),
		"have too short":            raw(4, byte(Have), 0, 0, 0),
		"have too long":             raw(6, byte(Have), 0, 0, 0, 0, 0),
		"have out of range":         AppendHave(nil, 12),
		"have of 2³²-1":             AppendHave(nil, -1),
		"request too short":         raw(12, append([]byte{byte(Request)}, make([]byte, 11)...)...),
		"request too long":          raw(14, append([]byte{byte(Request)}, make([]byte, 13)...)...),
		"request out of range":      AppendRange(nil, Request, 12, 0, 1),
		"request of nothing":        AppendRange(nil, Request, 0, 0, 0),
		"request past the piece":    AppendRange(nil, Request, 0, 1, 32<<10),
		"request beyond the piece":  AppendRange(nil, Request, 0, 32<<10+1, 1),
		"request begins at 2³²-1":   AppendRange(nil, Request, 0, -1, 2),
		"request of 2³²-1":          AppendRange(nil, Request, 0, 1, -1),
		"cancel of nothing":         AppendRange(nil, Cancel, 0, 0, 0),
		"reject out of range":       AppendRange(nil, Reject, 1<<20, 0, 1),
		"bitfield too short":        AppendBitfield(nil, make([]byte, 1)),
		"bitfield too long":         AppendBitfield(nil, make([]byte, 3)),
		"block without payload":     AppendBlockHeader(nil, 0, 0, 0),
		"block too long":            AppendBlockHeader(nil, 0, 0, 32<<10+1),
		"block past the piece":      AppendBlockHeader(nil, 0, 1, 32<<10),
		"block out of range":        AppendBlockHeader(nil, 12, 0, 1),
		"extended without a number": raw(1, byte(Extended)),
		"extended too long":         AppendExtended(nil, 0, make([]byte, maxExtended+1)),
		"unknown type":              raw(1, 99),
		"keep-alive's own name":     raw(1, byte(KeepAlive)),
		"port (BEP 5)":              raw(3, 9, 0, 0),
		"hash request (BEP 52)":     raw(49, append([]byte{21}, make([]byte, 48)...)...),
		"HTTP":                      []byte("GET / HTTP/1.1\r\n\r\n"),
	}
	for name, in := range tests {
		if m, err := newTestReader(in).Read(); !errors.Is(err, shoal.ErrCorrupt) {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
	if _, err := newTestReader(AppendExtended(nil, 0, make([]byte, maxExtended))).Read(); err != nil {
		t.Errorf("longest extension message: %v", err)
	}
}

// A claimed length alone makes the reader allocate no more than the limits say.
func TestReaderAllocatesWithinLimits(t *testing.T) {
	for _, in := range [][]byte{
		raw(1<<32-1, byte(Bitfield)), raw(1<<32-1, byte(Extended), 0), raw(1<<32-1, byte(Block)), raw(1<<31, 99),
		raw(2+maxExtended, byte(Extended), 0), raw(3, byte(Bitfield)),
	} {
		r := newTestReader(in)
		if _, err := r.Read(); err == nil {
			t.Errorf("%x was read", in)
		}
		if cap(r.body) > maxExtended {
			t.Errorf("%x: %d bytes allocated", in, cap(r.body))
		}
	}
	// A block's payload is not the reader's business, whatever the piece length.
	r := NewReader(bufio.NewReader(bytes.NewReader(AppendBlockHeader(nil, 0, 0, 16<<20))), Limits{Pieces: 1, PieceLength: 16 << 20})
	if m, err := r.Read(); err != nil || m.Length != 16<<20 || cap(r.body) != 0 {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestPayloadIsReadInParts(t *testing.T) {
	in := append(AppendBlockHeader(nil, 1, 2, 10), "0123456789"...)
	in = AppendHave(in, 5)
	r := newTestReader(in)
	if m, err := r.Read(); err != nil || m.Type != Block || m.Piece != 1 || m.Begin != 2 || m.Length != 10 {
		t.Fatalf("%+v, %v", m, err)
	}
	if _, err := r.Read(); err == nil {
		t.Error("the next message was read before the payload")
	}
	p := make([]byte, 4)
	if err := r.ReadPayload(p); err != nil || string(p) != "0123" {
		t.Errorf("%q, %v", p, err)
	}
	if err := r.ReadPayload(make([]byte, 7)); err == nil {
		t.Error("more than the payload was read")
	}
	if err := r.Discard(); err != nil {
		t.Error(err)
	}
	if m, err := r.Read(); err != nil || m.Type != Have || m.Piece != 5 {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestHandshake(t *testing.T) { // BEP 3
	want := Handshake{Content: [20]byte{1, 19: 20}, Peer: PeerID("12D3KooWabc")}
	b := AppendHandshake(nil, want)
	if len(b) != HandshakeLen {
		t.Fatalf("%d bytes", len(b))
	}
	if got, err := ReadHandshake(bytes.NewReader(b)); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	if PeerID("a") == PeerID("b") {
		t.Error("two nodes have one peer ID")
	}
	for name, edit := range map[string]func([]byte){
		"another protocol":      func(b []byte) { b[5] ^= 1 },
		"another length":        func(b []byte) { b[0] = 18 },
		"no extension protocol": func(b []byte) { b[25] &^= 0x10 },
	} {
		bad := bytes.Clone(b)
		edit(bad)
		if _, err := ReadHandshake(bytes.NewReader(bad)); !errors.Is(err, shoal.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ReadHandshake(bytes.NewReader(b[:67])); err == nil {
		t.Error("67 bytes are a handshake")
	}
}

func TestTypeNames(t *testing.T) {
	for t0, want := range map[Type]string{KeepAlive: "keep-alive", Request: "Request", Have: "Have"} {
		if got := fmt.Sprint(t0); got != want {
			t.Errorf("%d: %q, want %q", t0, got, want)
		}
	}
}
