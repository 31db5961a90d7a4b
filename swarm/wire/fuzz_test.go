package wire

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"testing"

	"github.com/shoal-cdn/shoal"
)

// What is decoded encodes to the bytes it was read from, and every other end
// is one of the errors that Read promises.
func FuzzReader(f *testing.F) {
	f.Add(everyMessage())
	f.Add(AppendRange(AppendSimple(nil, HaveAll), Request, 0, 0, 32<<10))
	f.Fuzz(func(t *testing.T, in []byte) {
		r := newTestReader(in)
		out, _, err := readAll(r)
		if !bytes.HasPrefix(in, out) {
			t.Fatalf("%x\nencodes to\n%x", in, out)
		}
		switch {
		case errors.Is(err, io.EOF):
			if len(out) != len(in) {
				t.Fatalf("a clean end after %d of %d bytes", len(out), len(in))
			}
		case !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, shoal.ErrCorrupt):
			t.Fatal(err)
		}
		if cap(r.body) > maxExtended {
			t.Fatalf("%d bytes allocated", cap(r.body))
		}
	})
}

func FuzzHandshake(f *testing.F) {
	f.Add(AppendHandshake(nil, Handshake{Content: [20]byte{1}, Peer: PeerID("a")}))
	f.Add([]byte("\x13BitTorrent protocol"))
	f.Fuzz(func(t *testing.T, in []byte) {
		h, err := ReadHandshake(bytes.NewReader(in))
		if err != nil {
			return
		}
		again, err := ReadHandshake(bytes.NewReader(AppendHandshake(nil, h)))
		if err != nil || again != h {
			t.Fatalf("%+v, %v, want %+v", again, err, h)
		}
	})
}

func FuzzHello(f *testing.F) {
	b, err := EncodeHello(Hello{Name: "n", Origin: true, Locality: shoal.Locality{Carrier: "c", Region: "r", Site: "s"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte("d1:md6:ut_pexi1ee5:shoali1e1:v3:abce"))
	f.Fuzz(func(t *testing.T, in []byte) {
		h, err := DecodeHello(in)
		if err != nil {
			if !errors.Is(err, shoal.ErrCorrupt) {
				t.Fatal(err)
			}
			return
		}
		b, err := EncodeHello(h)
		if err != nil {
			t.Fatal(err)
		}
		h.PEX, h.Queued = ExtPEX, ExtQueued // the numbers are each side's own
		if again, err := DecodeHello(b); err != nil || again != h {
			t.Fatalf("%+v, %v, want %+v", again, err, h)
		}
	})
}

func FuzzPEX(f *testing.F) {
	b, err := EncodePEX(pexPeers(3, 2, 20))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, in []byte) {
		peers, err := DecodePEX(in)
		if err != nil {
			if !errors.Is(err, shoal.ErrCorrupt) {
				t.Fatal(err)
			}
			return
		}
		b, err := EncodePEX(peers)
		if err != nil {
			t.Fatal(err)
		}
		if len(in) > maxExtended {
			return // not everything has to fit again
		}
		again, err := DecodePEX(b)
		if err != nil || len(again) > len(peers) || len(b) <= len(in) && len(again) != len(peers) {
			t.Fatalf("%v, %v, want %v", again, err, peers)
		}
		for i := range again {
			if len(again[i].Addrs)+len(peers[i].Addrs) > 0 && !reflect.DeepEqual(again[i], peers[i]) {
				t.Fatalf("%v, want %v", again[i], peers[i])
			}
		}
	})
}
