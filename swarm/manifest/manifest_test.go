package manifest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/swarm"
	"github.com/shoal-cdn/shoal/swarm/transport"
)

var discard = slog.New(slog.DiscardHandler)

// testManifest is that of a file of random bytes.
func testManifest(t testing.TB, size int, seed byte) *shoal.Manifest {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file.bin")
	data := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(data)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	m, err := shoal.BuildManifest(t.Context(), path, shoal.BuildOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func newHost(t *testing.T) *transport.Host {
	t.Helper()
	key, err := transport.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	h, err := transport.New(transport.Config{Key: key, Listen: "127.0.0.1:0", Log: discard})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

// From a host that has it, past one that has not and one that cannot be reached.
func TestFetchFromHosts(t *testing.T) {
	m := testManifest(t, 3<<20, 1)
	seeded, err := m.WithWebSeeds([]string{"http://192.0.2.1/evil"})
	if err != nil {
		t.Fatal(err)
	}
	has, hasNot, mute, self := newHost(t), newHost(t), newHost(t), newHost(t)
	Serve(has, func(id shoal.ContentID) *shoal.Manifest {
		if id == m.ID() {
			return seeded
		}
		return nil
	}, discard)
	Serve(hasNot, func(shoal.ContentID) *shoal.Manifest { return nil }, discard)
	peers := make(chan swarm.Peer, 4)
	for _, h := range []*transport.Host{hasNot, mute, has} {
		peers <- swarm.Peer{ID: h.ID(), Addrs: h.Addrs()}
	}
	close(peers)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	got, err := NewClient(self, discard).Fetch(ctx, m.ID(), peers)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Torrent(), m.Torrent()) {
		t.Errorf("fetched content %s with web seeds %v", got.ID().Short(), got.WebSeeds())
	}
}

// pipe is a stream in memory.
type pipe struct {
	net.Conn
	peer shoal.NodeID
}

func (p pipe) Peer() shoal.NodeID { return p.peer }
func (p pipe) Close()             { _ = p.Conn.Close() }

// players are peers by name, each with what it does on a stream that the client opens.
type players map[shoal.NodeID]func(net.Conn)

// client dials players; dials counts how often each is dialled.
func (ps players) client(dials map[shoal.NodeID]int) *Client {
	var mu sync.Mutex
	return newClient(func(_ context.Context, p swarm.Peer) (stream, error) {
		mu.Lock()
		dials[p.ID]++
		mu.Unlock()
		play := ps[p.ID]
		if play == nil {
			return nil, errors.New("cannot be reached")
		}
		here, there := net.Pipe()
		go func() {
			defer there.Close()
			var id shoal.ContentID
			if _, err := io.ReadFull(there, id[:]); err == nil {
				play(there)
			}
		}()
		return pipe{here, p.ID}, nil
	}, discard)
}

func sends(b []byte) func(net.Conn) {
	return func(c net.Conn) { _, _ = c.Write(b) }
}

func answerWith(torrent []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(torrent))), torrent...)
}

// Whatever peers send, the right manifest comes from the one that has it, soon; and
// those that sent a wrong one are left alone.
func TestHostilePeers(t *testing.T) {
	m, other := testManifest(t, 3<<20, 1), testManifest(t, 3<<20, 2)
	wrongLayer := m.Torrent()
	wrongLayer[len(wrongLayer)-40] ^= 1
	good := sends(answerWith(m.Torrent()))
	forever := func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }
	for name, tt := range map[string]struct {
		play   func(net.Conn)
		within time.Duration
		banned bool
	}{
		"another content":      {sends(answerWith(other.Torrent())), 0, true},
		"a wrong piece layer":  {sends(answerWith(wrongLayer)), 0, true},
		"no torrent":           {sends(answerWith(make([]byte, 1000))), 0, true},
		"too long":             {sends(binary.BigEndian.AppendUint32(nil, shoal.MaxTorrentSize+1)), 0, true},
		"does not have it":     {sends(make([]byte, 4)), 0, false},
		"cut off":              {sends(answerWith(m.Torrent())[:2000]), 0, false},
		"busy":                 {func(net.Conn) {}, 0, false},
		"cannot be reached":    {nil, 0, false},
		"silent":               {forever, idleTime, false},
		"silent in the middle": {func(c net.Conn) { sends(answerWith(m.Torrent())[:2000])(c); forever(c) }, idleTime, false},
		"a byte now and then":  {drip(m), transferTime, false},
		"promises much":        {func(c net.Conn) { sends(binary.BigEndian.AppendUint32(nil, 60<<20))(c); forever(c) }, idleTime, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ps := players{"good": good}
				for _, id := range []shoal.NodeID{"a", "b", "c"} { // as many as are asked at a time
					ps[id] = tt.play
				}
				dials := make(map[shoal.NodeID]int)
				c := ps.client(dials)
				alone, cancel := context.WithTimeout(t.Context(), transferTime+time.Minute)
				defer cancel()
				only := make(chan swarm.Peer, 1)
				only <- swarm.Peer{ID: "a"}
				if got, err := c.Fetch(alone, m.ID(), only); !errors.Is(err, context.DeadlineExceeded) {
					t.Fatalf("%v, %v", got, err)
				}
				before := dials["a"]
				peers := make(chan swarm.Peer, 4)
				for _, id := range []shoal.NodeID{"a", "b", "c", "good"} {
					peers <- swarm.Peer{ID: id, Seed: id != "good"}
				}
				begun := time.Now()
				got, err := c.Fetch(t.Context(), m.ID(), peers)
				if err != nil || got.ID() != m.ID() {
					t.Fatalf("%v, %v", got, err)
				}
				if took := time.Since(begun); took > tt.within {
					t.Errorf("it took %v", took)
				}
				if again := dials["a"] > before; again == tt.banned {
					t.Errorf("dialled again: %v", again)
				}
				time.Sleep(idleTime) // for a peer that is asleep
			})
		})
	}
}

// drip sends a manifest so slowly that each byte comes in time.
func drip(m *shoal.Manifest) func(net.Conn) {
	return func(c net.Conn) {
		for _, b := range answerWith(m.Torrent()) {
			if _, err := c.Write([]byte{b}); err != nil {
				return
			}
			time.Sleep(idleTime / 2)
		}
	}
}

// A peer that gets the manifest later is asked again, and peers may come at any time.
func TestFetchGoesOn(t *testing.T) {
	m := testManifest(t, 100_000, 1)
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		ps := players{"late": func(c net.Conn) {
			if time.Since(begun) < 10*time.Second {
				sends(make([]byte, 4))(c)
				return
			}
			sends(answerWith(m.Torrent()))(c)
		}}
		dials := make(map[shoal.NodeID]int)
		peers := make(chan swarm.Peer)
		go func() {
			time.Sleep(3 * time.Second)
			peers <- swarm.Peer{ID: "late"}
		}()
		if _, err := ps.client(dials).Fetch(t.Context(), m.ID(), peers); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); took > 10*time.Second+lastRetry || dials["late"] > 6 {
			t.Errorf("it took %v and %d dials", took, dials["late"])
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := (players{}).client(dials).Fetch(ctx, m.ID(), nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("with nobody to ask: %v", err)
		}
	})
}

// A peer that is busy for long is asked again every few seconds, and is not taken for
// one that does not have it.
func TestFetchFromBusyPeer(t *testing.T) {
	m := testManifest(t, 100_000, 1)
	for name, tt := range map[string]struct {
		refuse func(net.Conn)
		most   time.Duration // from when it has time to when it is asked
	}{
		"busy":             {func(net.Conn) {}, busyRetry},
		"does not have it": {sends(make([]byte, 4)), lastRetry},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const until = 31 * time.Second
				begun := time.Now()
				ps := players{"a": func(c net.Conn) {
					if time.Since(begun) < until {
						tt.refuse(c)
						return
					}
					sends(answerWith(m.Torrent()))(c)
				}}
				dials := make(map[shoal.NodeID]int)
				peers := make(chan swarm.Peer, 1)
				peers <- swarm.Peer{ID: "a"}
				if _, err := ps.client(dials).Fetch(t.Context(), m.ID(), peers); err != nil {
					t.Fatal(err)
				}
				if late := time.Since(begun) - until; late > tt.most || dials["a"] > 2+int(until/tt.most)+4 {
					t.Errorf("asked %v late, %d times in all", late, dials["a"])
				}
			})
		})
	}
}

// A peer that does not speak the protocol is not one that may have the manifest later.
func TestNotSpokenIsNotBusy(t *testing.T) {
	if _, err := readAnswer(iotest.ErrReader(transport.ErrNotSpoken), shoal.ContentID{}); !errors.Is(err, transport.ErrNotSpoken) || errors.Is(err, errBusy) {
		t.Error(err)
	}
}

func FuzzReadAnswer(f *testing.F) {
	m := testManifest(f, 100_000, 1)
	id := m.ID()
	b, err := appendAnswer(nil, m)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(make([]byte, 4))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 'd'})
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := readAnswer(bytes.NewReader(b), id)
		if err == nil && (got.ID() != id || len(got.WebSeeds()) > 0) {
			t.Errorf("accepted content %s, web seeds %v", got.ID().Short(), got.WebSeeds())
		}
	})
}
