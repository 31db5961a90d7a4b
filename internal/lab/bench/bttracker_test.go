//go:build linux

package main

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/anacrolix/torrent/bencode"
	"github.com/shoal-cdn/shoal"
)

const (
	testHash = "\x00\x01+ &=%\xff\xfe56789012345"
	testPeer = "-XX0000-123456789012"
)

func query(change ...string) string {
	v := url.Values{"info_hash": {testHash}, "peer_id": {testPeer}, "port": {"6881"}, "left": {"10"}, "compact": {"1"}}
	for i := 0; i < len(change); i += 2 {
		v.Set(change[i], change[i+1])
	}
	return v.Encode()
}

// BEP 3: the parameters of an announce.
func TestParseAnnounce(t *testing.T) {
	got, err := parseAnnounce(query("numwant", "7", "event", "started"))
	want := announce{infoHash: infoHash([]byte(testHash)), peerID: peerID([]byte(testPeer)), port: 6881, left: 10, want: 7}
	if err != nil || got != want {
		t.Errorf("got %+v, error %v, want %+v", got, err, want)
	}
	if got, err := parseAnnounce(query("event", "stopped", "left", "0", "numwant", "-1")); err != nil || !got.stopped || got.left != 0 || got.want != 200 {
		t.Errorf("stopped: %+v, error %v", got, err)
	}
	for _, bad := range []string{
		"", "%zz", query("info_hash", testHash[1:]), query("info_hash", testHash+"x"), query("peer_id", ""),
		query("port", "0"), query("port", "65536"), query("port", "-1"), query("port", ""), query("left", "all"),
	} {
		if _, err := parseAnnounce(bad); !errors.Is(err, shoal.ErrInvalid) {
			t.Errorf("%q: error %v, want one of kind ErrInvalid", bad, err)
		}
	}
}

func FuzzParseAnnounce(f *testing.F) {
	f.Add(query())
	f.Add(query("event", "stopped", "numwant", "99999999999999999999"))
	f.Add("info_hash=%00&peer_id=;&port=1")
	f.Fuzz(func(t *testing.T, q string) {
		a, err := parseAnnounce(q)
		if err != nil {
			if !errors.Is(err, shoal.ErrInvalid) {
				t.Errorf("error %v is of no kind", err)
			}
			return
		}
		if a.port == 0 || a.want < 0 || a.want > maxPeers {
			t.Errorf("%q gives %+v", q, a)
		}
	})
}

// announceAs asks the tracker over HTTP as a peer would that comes from the address.
func announceAs(t *testing.T, tr *btTracker, from, q string) (peers, failure string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/announce?"+q, nil)
	r.RemoteAddr = from
	w := httptest.NewRecorder()
	tr.ServeHTTP(w, r)
	var answer struct {
		Interval int    `bencode:"interval"`
		Peers    string `bencode:"peers"`
		Failure  string `bencode:"failure reason"`
	}
	if err := bencode.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatalf("%v: %q", err, w.Body.Bytes())
	}
	if (answer.Failure == "") != (answer.Interval > 0) {
		t.Errorf("both or neither of interval and failure: %q", w.Body.Bytes())
	}
	return answer.Peers, answer.Failure
}

// BEP 23: a peer is told of all others as 4 bytes of address and 2 of port, of
// none twice, and not of itself.
func TestTracker(t *testing.T) {
	tr := newBTTracker()
	id := func(i int) string { return testPeer[:19] + strconv.Itoa(i) }
	if peers, failure := announceAs(t, tr, "198.18.1.1:999", query("peer_id", id(1), "left", "0", "ip", "203.0.113.9")); peers != "" || failure != "" {
		t.Errorf("the first peer is told of %q, failure %q", peers, failure)
	}
	if peers, _ := announceAs(t, tr, "198.18.1.2:999", query("peer_id", id(2), "port", "258")); peers != "\xc6\x12\x01\x01\x1a\xe1" {
		t.Errorf("the second peer is told of %q, want 198.18.1.1:6881", peers)
	}
	peers, _ := announceAs(t, tr, "198.18.1.3:999", query("peer_id", id(3)))
	if len(peers) != 12 || !strings.Contains(peers, "\xc6\x12\x01\x01\x1a\xe1") || !strings.Contains(peers, "\xc6\x12\x01\x02\x01\x02") {
		t.Errorf("the third peer is told of %q, want both others", peers)
	}
	if n := tr.seeds(infoHash([]byte(testHash))); n != 1 {
		t.Errorf("%d seeds, want 1", n)
	}
	if peers, _ := announceAs(t, tr, "198.18.1.3:999", query("peer_id", id(3), "numwant", "1")); len(peers) != 6 {
		t.Errorf("asking for one peer: %q", peers)
	}
	announceAs(t, tr, "198.18.1.1:999", query("peer_id", id(1), "event", "stopped"))
	if peers, _ := announceAs(t, tr, "198.18.1.3:999", query("peer_id", id(3))); peers != "\xc6\x12\x01\x02\x01\x02" {
		t.Errorf("after one stopped: %q", peers)
	}
	if _, failure := announceAs(t, tr, "198.18.1.3:999", query("port", "0")); !strings.Contains(failure, "port") {
		t.Errorf("a bad port: failure %q", failure)
	}
	if _, failure := announceAs(t, tr, "[2001:db8::1]:999", query()); failure == "" {
		t.Error("an IPv6 peer is not refused")
	}
	if peers, _ := announceAs(t, tr, "198.18.1.4:999", query("info_hash", strings.Repeat("x", 20))); peers != "" {
		t.Errorf("another torrent's peers are told: %q", peers)
	}
}

// However many announce, memory is bounded.
func TestTrackerIsBounded(t *testing.T) {
	tr := newBTTracker()
	addr := netip.MustParseAddrPort("198.18.1.1:1")
	fill := func(n int, announceNth func(i int) announce) (refused int) {
		for i := range n {
			if _, err := tr.announce(announceNth(i), addr); errors.Is(err, shoal.ErrUnavailable) {
				refused++
			}
		}
		return refused
	}
	nth := func(i int) (b [20]byte) {
		copy(b[:], strconv.Itoa(i))
		return b
	}
	if n := fill(maxPeers+5, func(i int) announce { return announce{peerID: nth(i)} }); n != 5 {
		t.Errorf("%d peers too many were refused, want 5", n)
	}
	if n := fill(maxSwarms+4, func(i int) announce { return announce{infoHash: nth(i)} }); n != 5 {
		t.Errorf("%d swarms too many were refused, want 5 (one was there)", n)
	}
	if _, err := tr.announce(announce{peerID: nth(1)}, addr); err != nil {
		t.Errorf("a peer that was there is refused: %v", err)
	}
	if b, err := tr.announce(announce{infoHash: nth(maxSwarms + 9), stopped: true}, addr); err != nil || !bytes.Equal(b, nil) {
		t.Errorf("stopping what never was: %q, %v", b, err)
	}
}
