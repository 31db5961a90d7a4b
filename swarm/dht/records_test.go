package dht

import (
	"context"
	"encoding/binary"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/multiformats/go-multihash"

	"github.com/shoal-cdn/shoal"
)

var somewhere = ma.StringCast("/ip4/198.18.0.1/tcp/7000")

func contentOf(n int) (id shoal.ContentID) {
	binary.BigEndian.PutUint64(id[:], uint64(n)+1)
	return id
}

func keyBytes(t *testing.T, n int) []byte {
	t.Helper()
	key, err := keyOf(contentOf(n))
	if err != nil {
		t.Fatal(err)
	}
	return key.Hash()
}

func testRecords() *records {
	return newRecords(func() peer.AddrInfo { return peer.AddrInfo{ID: "self", Addrs: []ma.Multiaddr{somewhere}} })
}

func (r *records) providers(t *testing.T, n int) map[peer.ID][]ma.Multiaddr {
	t.Helper()
	list, err := r.GetProviders(context.Background(), keyBytes(t, n))
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[peer.ID][]ma.Multiaddr)
	for _, p := range list {
		out[p.ID] = p.Addrs
	}
	return out
}

func TestKey(t *testing.T) { // B4: provider records for content IDs only
	id := contentOf(7)
	key, err := keyOf(id)
	if err != nil {
		t.Fatal(err)
	}
	if p := key.Prefix(); p.Version != 1 || p.Codec != cid.Raw || p.MhType != multihash.SHA2_256 || p.MhLength != 32 {
		t.Errorf("%+v", p)
	}
	if d, err := multihash.Decode(key.Hash()); err != nil || shoal.ContentID(d.Digest) != id {
		t.Errorf("the key is of %x: %v", d.Digest, err)
	}
	short, _ := multihash.Encode(id[:20], multihash.SHA2_256)
	other, _ := multihash.Encode(id[:], multihash.SHA3_256)
	for name, bad := range map[string][]byte{"nothing": nil, "text": []byte("/pk/x"), "short": short, "another hash": other} {
		if isKey(bad) {
			t.Errorf("%s is taken for a content's key", name)
		}
		if err := testRecords().AddProvider(t.Context(), bad, peer.AddrInfo{ID: "a"}); !errors.Is(err, shoal.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A record lasts 15 minutes from the last time it came, and then takes no room.
func TestRecordsExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := testRecords()
		add := func(id peer.ID) {
			if err := r.AddProvider(t.Context(), keyBytes(t, 0), peer.AddrInfo{ID: id, Addrs: []ma.Multiaddr{somewhere}}); err != nil {
				t.Fatal(err)
			}
		}
		add("a")
		add("b")
		add("self")
		time.Sleep(recordTTL - time.Second)
		if got := r.providers(t, 0); len(got) != 3 || !got["a"][0].Equal(somewhere) {
			t.Errorf("%v", got)
		}
		add("b")
		time.Sleep(time.Second)
		if got := r.providers(t, 0); len(got) != 1 || got["b"] == nil {
			t.Errorf("after the TTL: %v", got)
		}
		time.Sleep(sweepEvery)
		add("c")
		if r.len() != 2 || len(r.count) != 2 || len(r.keys) != 1 {
			t.Errorf("%d records of %d nodes in %d keys", r.len(), len(r.count), len(r.keys))
		}
	})
}

// The node's own addresses are those of the moment.
func TestRecordsOfSelf(t *testing.T) {
	r := testRecords()
	if err := r.AddProvider(t.Context(), keyBytes(t, 0), peer.AddrInfo{ID: "self"}); err != nil {
		t.Fatal(err)
	}
	if got := r.providers(t, 0)["self"]; len(got) != 1 || !got[0].Equal(somewhere) {
		t.Errorf("%v", got)
	}
}

func TestRecordsBounds(t *testing.T) {
	r := testRecords()
	add := func(key int, id peer.ID) error {
		many := make([]ma.Multiaddr, 100)
		return r.AddProvider(t.Context(), keyBytes(t, key), peer.AddrInfo{ID: id, Addrs: many})
	}
	for i := range 2 * maxProviders {
		if err := add(0, peer.ID(rune('a'+i))); err != nil {
			t.Fatal(err)
		}
	}
	if got := r.providers(t, 0); len(got) != maxProviders || got[peer.ID(rune('a'+2*maxProviders-1))] == nil {
		t.Errorf("%d providers of a key", len(got))
	}
	for _, addrs := range r.providers(t, 0) {
		if len(addrs) != maxAddrs {
			t.Errorf("%d addresses", len(addrs))
		}
	}
	var refused error
	for i := range 2 * maxPerPeer {
		refused = errors.Join(refused, add(i, "greedy"))
	}
	if r.count["greedy"] != maxPerPeer || !errors.Is(refused, shoal.ErrUnavailable) {
		t.Errorf("%d records of one node: %v", r.count["greedy"], refused)
	}
	for i := range 2 * maxRecords {
		_ = add(i%(maxRecords/4), peer.ID(rune(0x1000+i/maxPerPeer)))
	}
	if r.len() != maxRecords {
		t.Errorf("%d records", r.len())
	}
	late := 2 * maxRecords // a key that nobody has filled
	if err := add(late, "honest"); err != nil || len(r.providers(t, late)) != 1 {
		t.Errorf("those who fill everything keep another one out: %v", err)
	}
	if r.len() != maxRecords {
		t.Errorf("%d records after one made room", r.len())
	}
	if err := add(late, "honest"); err != nil || r.len() != maxRecords {
		t.Errorf("a record that is there cannot be renewed: %v", err)
	}
	total := 0
	for _, providers := range r.keys {
		total += len(providers)
	}
	if total != r.len() {
		t.Errorf("%d records are counted as %d", total, r.len())
	}
}

// Whatever others store, a record is one of a content's key, and can be found.
func FuzzAddProvider(f *testing.F) {
	key, err := keyOf(contentOf(1))
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(key.Hash()))
	f.Add([]byte("/pk/x"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, key []byte) {
		r := testRecords()
		err := r.AddProvider(t.Context(), key, peer.AddrInfo{ID: "a", Addrs: []ma.Multiaddr{somewhere}})
		if err != nil && !errors.Is(err, shoal.ErrInvalid) {
			t.Errorf("kind of %v", err)
		}
		got, err := r.GetProviders(t.Context(), key)
		if err != nil || len(got) != r.len() {
			t.Errorf("%d of %d records are found: %v", len(got), r.len(), err)
		}
		if r.len() > 0 && len(key) != 34 {
			t.Errorf("a key of %d bytes was taken", len(key))
		}
	})
}
