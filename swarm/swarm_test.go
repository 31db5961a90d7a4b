package swarm

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/swarm/transport"
)

// memory is a Store in memory.
type memory struct {
	m      *shoal.Manifest
	mu     sync.Mutex
	held   *shoal.PieceSet
	pieces map[int][]byte
	bad    bool  // serve corrupted data
	full   error // answer of WritePiece
}

func newMemory(m *shoal.Manifest) *memory {
	return &memory{m: m, held: shoal.NewPieceSet(m.NumPieces()), pieces: make(map[int][]byte)}
}

func seeded(m *shoal.Manifest, data []byte) *memory {
	st := newMemory(m)
	for i := range m.NumPieces() {
		_, off := m.Locate(i)
		_ = st.WritePiece(i, data[off:off+int64(m.PieceSize(i))])
	}
	return st
}

func (st *memory) Pieces() *shoal.PieceSet {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.held.Clone()
}

func (st *memory) ReadAt(p []byte, piece int, off int64) error {
	st.mu.Lock()
	defer st.mu.Unlock()
	if !st.held.Has(piece) {
		return shoal.ErrNotFound
	}
	copy(p, st.pieces[piece][off:])
	if st.bad {
		p[0] ^= 1
	}
	return nil
}

func (st *memory) WritePiece(piece int, data []byte) error {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.full != nil {
		return st.full
	}
	st.pieces[piece] = bytes.Clone(data)
	st.held.Add(piece)
	return nil
}

func (st *memory) bytes() []byte {
	st.mu.Lock()
	defer st.mu.Unlock()
	var out []byte
	for i := range st.m.NumPieces() {
		out = append(out, st.pieces[i]...)
	}
	return out
}

// check compares what is stored with the content.
func (st *memory) check(tb testing.TB, data []byte) {
	tb.Helper()
	if !bytes.Equal(st.bytes(), data) {
		tb.Error("data differs")
	}
}

// content makes a file of n random bytes and its manifest.
func content(tb testing.TB, n int) (*shoal.Manifest, []byte) {
	tb.Helper()
	data := make([]byte, n)
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	for i := range data {
		data[i] = byte(rng.Uint32())
	}
	path := filepath.Join(tb.TempDir(), "file")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		tb.Fatal(err)
	}
	m, err := shoal.BuildManifest(tb.Context(), path, shoal.BuildOptions{})
	if err != nil {
		tb.Fatal(err)
	}
	return m, data
}

// member is one node's hub and how to reach it.
type member struct {
	*Hub
	peer Peer
}

func testLog(tb testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(tb.Output(), &slog.HandlerOptions{Level: slog.LevelError}))
}

func newTestHost(tb testing.TB) *transport.Host {
	tb.Helper()
	key, err := transport.GenerateKey()
	if err != nil {
		tb.Fatal(err)
	}
	host, err := transport.New(transport.Config{Key: key, Listen: "127.0.0.1:0", Log: testLog(tb)})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { host.Close() })
	return host
}

func newMember(tb testing.TB, name string, cfg Config) member {
	tb.Helper()
	host := newTestHost(tb)
	cfg.Name, cfg.Log = name, testLog(tb)
	h := NewHub(host, cfg)
	tb.Cleanup(h.Close)
	return member{h, Peer{ID: host.ID(), Name: name, Addrs: host.Addrs()}}
}

func (m member) join(tb testing.TB, man *shoal.Manifest, st Store, origin bool, peers ...Peer) *Swarm {
	tb.Helper()
	s, err := m.Join(man, st, origin)
	if err != nil {
		tb.Fatal(err)
	}
	s.AddPeers(peers)
	return s
}

func waitComplete(tb testing.TB, s *Swarm) {
	tb.Helper()
	select {
	case <-s.Complete():
	case <-s.Done():
		tb.Fatalf("swarm ended: %v", s.Err())
	case <-time.After(time.Minute):
		tb.Fatalf("not complete after a minute: %+v", s.Stats())
	}
}

func TestSwarmDistributes(t *testing.T) { // M3
	man, data := content(t, 4<<20+12345)
	origin := newMember(t, "origin", Config{})
	src := origin.join(t, man, seeded(man, data), true)
	const n = 4
	var stores [n]*memory
	var swarms [n]*Swarm
	var peers []Peer
	for i := range n {
		m := newMember(t, fmt.Sprint("n", i), Config{})
		stores[i] = newMemory(man)
		swarms[i] = m.join(t, man, stores[i], false, append(peers, origin.peer)...)
		peers = append(peers, m.peer)
	}
	for i, s := range swarms {
		waitComplete(t, s)
		if !bytes.Equal(stores[i].bytes(), data) {
			t.Errorf("node %d: data differs", i)
		}
		st := s.Stats()
		if st.Bytes.Origin+st.Bytes.Peers != int64(len(data)) || len(st.Faults) != 0 {
			t.Errorf("node %d: %+v", i, st)
		}
	}
	t.Logf("origin sent %.2f copies", float64(src.Stats().Sent)/float64(len(data)))
}

func TestSwarmNamesCorruptPeer(t *testing.T) {
	man, data := content(t, 1<<20)
	evil := newMember(t, "evil", Config{})
	bad := seeded(man, data)
	bad.bad = true
	evil.join(t, man, bad, false)
	st := newMemory(man)
	s := newMember(t, "leecher", Config{}).join(t, man, st, false, evil.peer)
	for len(s.Stats().Faults) == 0 {
		time.Sleep(time.Millisecond)
	}
	good := newMember(t, "good", Config{})
	good.join(t, man, seeded(man, data), false)
	s.AddPeers([]Peer{good.peer})
	waitComplete(t, s)
	if !bytes.Equal(st.bytes(), data) {
		t.Error("data differs")
	}
	faults := s.Stats().Faults
	if len(faults) != 1 || faults[0].Name != "evil" || faults[0].Kind != Corrupt {
		t.Errorf("faults: %+v", faults)
	}
}

func TestSwarmEndsOnStoreFailure(t *testing.T) {
	man, data := content(t, 1<<20)
	origin := newMember(t, "origin", Config{})
	origin.join(t, man, seeded(man, data), true)
	st := newMemory(man)
	st.full = errors.New("disk full")
	s := newMember(t, "leecher", Config{}).join(t, man, st, false, origin.peer)
	<-s.Done()
	if !errors.Is(s.Err(), st.full) {
		t.Errorf("err: %v", s.Err())
	}
}
