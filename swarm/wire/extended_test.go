package wire

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/shoal-cdn/shoal"
)

func TestHelloRoundTrips(t *testing.T) { // BEP 10
	for _, want := range []Hello{
		{PEX: ExtPEX, Queued: ExtQueued},
		{Name: "edge-1", Origin: true, Locality: shoal.Locality{Carrier: "c", Region: "r", Site: "ß"}, PEX: ExtPEX, Queued: ExtQueued},
		{Name: strings.Repeat("n", maxLabel), PEX: ExtPEX, Queued: ExtQueued},
	} {
		b, err := EncodeHello(want)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := DecodeHello(b); err != nil || got != want {
			t.Errorf("%s: %+v, %v", b, got, err)
		}
	}
}

func TestDecodeHello(t *testing.T) {
	tests := []struct {
		in   string
		pex  byte
		fine bool
	}{
		{"d5:shoali1ee", 0, true},
		{"d1:md9:shoal_pexi7ee5:shoali1ee", 7, true},
		{"d1:md9:shoal_pexi256ee5:shoali1ee", 0, true},
		{"d1:md9:shoal_pexi-1ee5:shoali1ee", 0, true},
		{"d1:md6:ut_pexi1ee4:reqqi500e5:shoali1e1:v9:something6:yourip4:\x7f\x00\x00\x01e", 0, true}, // unknown keys (BEP 10)
		{"d5:shoali2ee", 0, false},
		{"de", 0, false}, // plain BitTorrent
		{"", 0, false},
		{"le", 0, false},
		{"i1e", 0, false},
		{"d5:shoali1e", 0, false},
		{"d5:shoali1ee0:", 0, false},
		{"d5:shoal1:1e", 0, false},
		{fmt.Sprintf("d5:shoali1e10:shoal_name%d:%se", maxLabel+1, strings.Repeat("x", maxLabel+1)), 0, false},
		{"d5:shoali1e10:shoal_name99999999:xe", 0, false},
		{strings.Repeat("l", 60<<10), 0, false},
		{"d1:m" + strings.Repeat("d1:a", 15<<10), 0, false},
	}
	for _, tt := range tests {
		h, err := DecodeHello([]byte(tt.in))
		if tt.fine && (err != nil || h.PEX != tt.pex) || !tt.fine && !errors.Is(err, shoal.ErrCorrupt) {
			t.Errorf("%.60q: %+v, %v", tt.in, h, err)
		}
	}
}

func pexPeers(n, addrs, addrLen int) []PEXPeer {
	var out []PEXPeer
	for i := range n {
		p := PEXPeer{ID: fmt.Sprintf("12D3KooW%d", i)}
		for range addrs {
			p.Addrs = append(p.Addrs, "/ip4/"+strings.Repeat("1", addrLen-5))
		}
		out = append(out, p)
	}
	return out
}

func TestPEXRoundTrips(t *testing.T) {
	for _, want := range [][]PEXPeer{nil, pexPeers(1, 1, 20), pexPeers(MaxPEXPeers, 4, 40)} {
		b, err := EncodePEX(want)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := DecodePEX(b); err != nil || !reflect.DeepEqual(got, want) && len(want) > 0 {
			t.Errorf("%s: %v, %v", b, got, err)
		}
	}
}

// What is encoded is accepted on the other side, whatever the addresses are:
// refusing it there would cost this side its connection.
func TestEncodePEXKeepsWithinBounds(t *testing.T) {
	for _, peers := range [][]PEXPeer{
		pexPeers(2*MaxPEXPeers, 1, 30),
		pexPeers(MaxPEXPeers, maxAddrs, maxAddr),
		pexPeers(1, 2*maxAddrs, 30),
		pexPeers(1, 1, 2*maxAddr),
	} {
		b, err := EncodePEX(peers)
		if err != nil || len(b) > maxExtended {
			t.Errorf("%d bytes, %v", len(b), err)
		}
		if got, err := DecodePEX(b); err != nil || len(got) == 0 {
			t.Errorf("%d peers, %v", len(got), err)
		}
	}
}

func TestDecodePEXRefuses(t *testing.T) {
	for _, in := range []string{
		"", "le", "d5:added1:xe", "d5:addedld2:id0:eee", "d5:addedld2:id4:../.eee",
		"d5:addedl" + strings.Repeat("d2:id1:ae", MaxPEXPeers+1) + "ee",
		"d5:addedld5:addrsl" + strings.Repeat("1:a", maxAddrs+1) + "e2:id1:aeee",
		fmt.Sprintf("d5:addedld5:addrsl%d:%se2:id1:aeee", maxAddr+1, strings.Repeat("a", maxAddr+1)),
		"d5:addedld2:id129:" + strings.Repeat("a", 129) + "eee",
	} {
		if got, err := DecodePEX([]byte(in)); !errors.Is(err, shoal.ErrCorrupt) {
			t.Errorf("%.60q: %v, %v", in, got, err)
		}
	}
}
