//go:build linux

package main

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"sync"

	"github.com/anacrolix/torrent/bencode"
	"github.com/shoal-cdn/shoal"
)

// btTracker is the least of a BitTorrent tracker (BEP 3, BEP 23): it tells every
// peer about all others, at once. It forgets only those that say that they
// stopped, so it is for runs of minutes. It is safe for concurrent use.
type btTracker struct {
	mu     sync.Mutex                      // guards swarms
	swarms map[infoHash]map[peerID]*btPeer // what is in it came from the network: see maxSwarms, maxPeers
}

type (
	infoHash [20]byte
	peerID   [20]byte
)

type btPeer struct {
	addr netip.AddrPort
	seed bool
}

const (
	// announceInterval is what peers are asked for, in seconds; several drop dead
	// peers no sooner, and none need it to find each other.
	announceInterval = 30

	maxSwarms = 1000
	maxPeers  = 1000 // of a swarm
)

func newBTTracker() *btTracker {
	return &btTracker{swarms: make(map[infoHash]map[peerID]*btPeer)}
}

// announce is a peer's request.
type announce struct {
	infoHash infoHash
	peerID   peerID
	port     uint16
	left     int64 // bytes; 0: it seeds
	want     int   // peers at most
	stopped  bool
}

// parseAnnounce reads the query of an announce (BEP 3). The error is of kind
// [shoal.ErrInvalid].
func parseAnnounce(query string) (announce, error) {
	v, err := url.ParseQuery(query)
	if err != nil {
		return announce{}, fmt.Errorf("announce: %w: %v", shoal.ErrInvalid, err)
	}
	a := announce{want: 200, left: 1, stopped: v.Get("event") == "stopped"}
	if len(v.Get("info_hash")) != len(a.infoHash) || len(v.Get("peer_id")) != len(a.peerID) {
		return announce{}, fmt.Errorf("announce: %w: info_hash and peer_id are of 20 bytes each", shoal.ErrInvalid)
	}
	copy(a.infoHash[:], v.Get("info_hash"))
	copy(a.peerID[:], v.Get("peer_id"))
	port, err := strconv.ParseUint(v.Get("port"), 10, 16)
	if err != nil || port == 0 {
		return announce{}, fmt.Errorf("announce: %w: port %q", shoal.ErrInvalid, v.Get("port"))
	}
	a.port = uint16(port)
	if s := v.Get("left"); s != "" {
		if a.left, err = strconv.ParseInt(s, 10, 64); err != nil {
			return announce{}, fmt.Errorf("announce: %w: left %q", shoal.ErrInvalid, s)
		}
	}
	if n, err := strconv.Atoi(v.Get("numwant")); err == nil && n >= 0 {
		a.want = min(n, maxPeers)
	}
	return a, nil
}

// ServeHTTP answers an announce. A refusal is an answer too: peers show its text.
func (t *btTracker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a, err := parseAnnounce(r.URL.RawQuery)
	from, addrErr := netip.ParseAddrPort(r.RemoteAddr)
	if err == nil {
		err = addrErr
	}
	var answer any
	if err == nil {
		var peers []byte
		peers, err = t.announce(a, netip.AddrPortFrom(from.Addr().Unmap(), a.port))
		answer = struct {
			Interval int    `bencode:"interval"`
			Peers    []byte `bencode:"peers"`
		}{announceInterval, peers}
	}
	if err != nil {
		answer = struct {
			Failure string `bencode:"failure reason"`
		}{err.Error()}
	}
	w.Header().Set("Content-Type", "text/plain")
	_, _ = w.Write(bencode.MustMarshal(answer)) // a peer that went away asks again
}

// announce notes the peer at addr and returns others in the compact form of
// BEP 23, in random order so that not all peers meet the same ones first.
func (t *btTracker) announce(a announce, addr netip.AddrPort) ([]byte, error) {
	if !addr.Addr().Is4() {
		return nil, fmt.Errorf("announce: %w: %v is no IPv4 address", shoal.ErrInvalid, addr)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	swarm := t.swarms[a.infoHash]
	switch {
	case a.stopped:
		delete(swarm, a.peerID)
		return nil, nil
	case swarm == nil && len(t.swarms) == maxSwarms, swarm[a.peerID] == nil && len(swarm) == maxPeers:
		return nil, fmt.Errorf("announce: %w: full", shoal.ErrUnavailable)
	case swarm == nil:
		swarm = make(map[peerID]*btPeer)
		t.swarms[a.infoHash] = swarm
	}
	swarm[a.peerID] = &btPeer{addr, a.left == 0}
	var others []netip.AddrPort
	for id, p := range swarm {
		if id != a.peerID {
			others = append(others, p.addr)
		}
	}
	rand.Shuffle(len(others), func(i, j int) { others[i], others[j] = others[j], others[i] })
	var compact []byte
	for _, o := range others[:min(len(others), a.want)] {
		compact = append(compact, o.Addr().AsSlice()...)
		compact = binary.BigEndian.AppendUint16(compact, o.Port())
	}
	return compact, nil
}

// seeds is how many peers have all of a torrent.
func (t *btTracker) seeds(h infoHash) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for _, p := range t.swarms[h] {
		if p.seed {
			n++
		}
	}
	return n
}
