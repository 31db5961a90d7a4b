package wire

import (
	"bufio"
	"bytes"
	"io"
	"testing"

	"github.com/anacrolix/torrent/bencode"
	"github.com/anacrolix/torrent/metainfo"
	pp "github.com/anacrolix/torrent/peer_protocol"
)

// The bytes are BitTorrent's: another implementation reads the same from them
// and writes the same bytes (BEP 3, 6, 10).
func TestMessagesAreBitTorrents(t *testing.T) {
	in := everyMessage()
	d := pp.Decoder{R: bufio.NewReader(bytes.NewReader(in)), MaxLength: 1 << 20}
	var out []byte
	n := 0
	for ; ; n++ {
		var m pp.Message
		if err := d.Decode(&m); err != nil {
			if n != 15 {
				t.Errorf("after %d messages: %v", n, err)
			}
			break
		}
		switch m.Type {
		case pp.Request, pp.Cancel, pp.Reject:
			if m.Index != 3 || m.Begin != 16<<10 || m.Length != 16<<10 {
				t.Errorf("%v: %+v", m.Type, m)
			}
		case pp.Bitfield: // BEP 3: the high bit of the first byte is piece 0
			if !m.Bitfield[0] || m.Bitfield[1] || !m.Bitfield[11] {
				t.Errorf("bitfield %v", m.Bitfield)
			}
		case pp.Piece:
			if m.Index != 0 || m.Begin != 32<<10-3 || string(m.Piece) != "abc" {
				t.Errorf("piece: %+v", m)
			}
		}
		b, err := m.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b...)
	}
	if !bytes.Equal(out, in) {
		t.Errorf("%x, want\n%x", out, in)
	}
}

func TestHandshakeIsBitTorrents(t *testing.T) { // BEP 3, 6, 10, 52
	want := Handshake{Content: [20]byte{1, 2, 3}, Peer: PeerID("x")}
	bits := pp.NewPeerExtensionBytes(pp.ExtensionBitLtep, pp.ExtensionBitFast)
	ih := metainfo.Hash(want.Content)
	ours, theirs := pipe(AppendHandshake(nil, want))
	res, err := pp.Handshake(t.Context(), theirs, &ih, [20]byte(PeerID("y")), bits)
	if err != nil {
		t.Fatal(err)
	}
	if [20]byte(res.Hash) != want.Content || [20]byte(res.PeerID) != want.Peer {
		t.Errorf("%+v, want %+v", res, want)
	}
	if !res.SupportsExtended() || !res.SupportsFast() || res.SupportsDHT() {
		t.Errorf("extensions %v", res.PeerExtensionBits)
	}
	if got, err := ReadHandshake(ours); err != nil || got.Content != want.Content || got.Peer != PeerID("y") {
		t.Errorf("read %+v, %v", got, err)
	}
}

// pipe returns two ends; the first has written hello to the second.
func pipe(hello []byte) (ours io.Reader, theirs io.ReadWriter) {
	var sent bytes.Buffer
	return &sent, struct {
		io.Reader
		io.Writer
	}{bytes.NewReader(hello), &sent}
}

func TestHelloIsBitTorrents(t *testing.T) { // BEP 10
	b, err := EncodeHello(Hello{Name: "n"})
	if err != nil {
		t.Fatal(err)
	}
	var m pp.ExtendedHandshakeMessage
	if err := bencode.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	if n := m.M[extPEXName]; n != pp.ExtensionNumber(ExtPEX) || m.M[extQueuedName] != pp.ExtensionNumber(ExtQueued) || len(m.M) != 2 {
		t.Errorf("m: %v", m.M)
	}
}
