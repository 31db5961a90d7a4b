package library

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/api"
	"github.com/shoal-cdn/shoal/node/store"
	"github.com/shoal-cdn/shoal/node/store/memstore"
	"github.com/shoal-cdn/shoal/swarm"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// fakeSession is a swarm in which the test plays the peers.
type fakeSession struct {
	m        *shoal.Manifest
	st       swarm.Store
	origin   bool
	complete chan struct{}
	done     chan struct{}

	mu    sync.Mutex
	stats swarm.Stats
	peers []swarm.Peer
	err   error
	left  bool
	// What is urgent: first and count.
	wanted [][2]int
}

func (s *fakeSession) Complete() <-chan struct{} { return s.complete }
func (s *fakeSession) Done() <-chan struct{}     { return s.done }

func (s *fakeSession) AddPeers(ps []swarm.Peer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.peers = append(s.peers, ps...)
}

func (s *fakeSession) Stats() swarm.Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

func (s *fakeSession) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func (s *fakeSession) Leave()             { s.end(nil) }
func (s *fakeSession) Connect(swarm.Peer) {}
func (s *fakeSession) Why() tapi.Why      { return tapi.Why{} }

func (s *fakeSession) Upstreams() []tapi.Fault { return nil }

func (s *fakeSession) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.left {
		s.left, s.err = true, err
		close(s.done)
	}
}

// receive stores pieces as if a peer had sent them.
func (s *fakeSession) receive(t *testing.T, data []byte, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		_, off := s.m.Locate(i)
		if err := s.st.WritePiece(i, data[off:off+int64(s.m.PieceSize(i))]); err != nil {
			t.Fatal(err)
		}
		s.mu.Lock()
		s.stats.Bytes.Peers += int64(s.m.PieceSize(i))
		s.stats.Faults = []swarm.Fault{{Peer: "p1", Name: "evil\nname", Kind: swarm.Corrupt, Count: 1}}
		s.mu.Unlock()
	}
	if s.st.Pieces().Full() {
		close(s.complete)
	}
}

// world is what a library lives in; the library can be closed and opened
// again as by a restart.
type world struct {
	t        *testing.T
	store    store.Store
	records  string
	path     string // the content's source
	data     []byte
	manifest *shoal.Manifest
	*Library

	mu       sync.Mutex
	trackers error // why none answers
	torrents map[shoal.ContentID][]byte
	sessions []*fakeSession
	ended    []error
	pulls    []Pull
	noPull   error // why readers have nothing fetched
}

func (w *world) Torrent(_ context.Context, id shoal.ContentID) ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.trackers != nil {
		return nil, w.trackers
	}
	if b, ok := w.torrents[id]; ok {
		return b, nil
	}
	return nil, fmt.Errorf("content %s: %w", id.Short(), shoal.ErrNotFound)
}

func (w *world) PutContent(_ context.Context, torrent []byte) (tapi.Content, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.trackers != nil {
		return tapi.Content{}, w.trackers
	}
	m, err := shoal.DecodeManifest(torrent)
	if err == nil {
		w.torrents[m.ID()] = torrent
	}
	return tapi.Content{}, err
}

func (w *world) join(m *shoal.Manifest, st swarm.Store, origin bool) (Session, error) {
	s := &fakeSession{m: m, st: st, origin: origin, complete: make(chan struct{}), done: make(chan struct{})}
	if st.Pieces().Full() {
		close(s.complete)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sessions = append(w.sessions, s)
	return s, nil
}

// open starts the library anew.
func (w *world) open() {
	w.t.Helper()
	l, err := Open(Config{
		Store: w.store, Torrents: w, Join: w.join, Records: w.records, Files: "/memory",
		Log: slog.New(slog.DiscardHandler), Pull: w.mayPull, Changed: func() {},
		Ended: func(_ shoal.ContentID, err error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.ended = append(w.ended, err)
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.Library = l
	if err := l.Restore(); err != nil {
		w.t.Fatal(err)
	}
	synctest.Wait()
}

func (w *world) restart() {
	w.t.Helper()
	if err := w.Close(); err != nil {
		w.t.Fatal(err)
	}
	w.open()
}

// session is the newest there is.
func (w *world) session() *fakeSession {
	w.t.Helper()
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.sessions) == 0 {
		w.t.Fatal("no swarm was joined")
	}
	return w.sessions[len(w.sessions)-1]
}

// outcomes are the ends told so far.
func (w *world) outcomes() []error {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]error(nil), w.ended...)
}

func (w *world) want(dest string, operator bool) bool {
	w.t.Helper()
	complete, err := w.Want(w.manifest.ID(), dest, operator)
	if err != nil {
		w.t.Fatal(err)
	}
	return complete
}

// content describes the content; the zero value where there is none.
func (w *world) content() api.Content {
	synctest.Wait()
	c, _ := w.Content(w.manifest.ID())
	return c
}

// inWorld runs a test in virtual time with a content of 10 pieces that a
// tracker knows.
func inWorld(t *testing.T, test func(*testing.T, *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, store: memstore.New(), records: t.TempDir(), data: make([]byte, 10*32<<10-100)}
		for i := range w.data {
			w.data[i] = byte(i / 1000)
		}
		w.path = filepath.Join(t.TempDir(), "film.bin")
		if err := os.WriteFile(w.path, w.data, 0o644); err != nil {
			t.Fatal(err)
		}
		m, err := shoal.BuildManifest(t.Context(), w.path, shoal.BuildOptions{})
		if err != nil {
			t.Fatal(err)
		}
		w.manifest, w.torrents = m, map[shoal.ContentID][]byte{m.ID(): m.Torrent()}
		w.open()
		test(t, w)
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestFetch(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		if w.want("in/film.bin", false) {
			t.Fatal("complete before it began")
		}
		s := w.session()
		if hs, lonely := w.Holdings(); len(hs) != 1 || hs[0].Role != tapi.Fetcher || hs[0].Pieces.Total != 10 || !lonely {
			t.Errorf("at first: %+v, lonely %v", hs, lonely)
		}
		w.AddPeers(map[shoal.ContentID][]swarm.Peer{w.manifest.ID(): {{ID: "p1"}}, {9}: {{ID: "p2"}}})
		s.receive(t, w.data, 0, 4)
		if c := w.content(); c.PiecesHeld != 4 || c.Role != tapi.Fetcher || c.Path != "/memory/in/film.bin" || len(s.peers) != 1 {
			t.Errorf("half way: %+v, peers %v", c, s.peers)
		}
		s.receive(t, w.data, 4, 10)
		if got := w.outcomes(); len(got) != 1 || got[0] != nil {
			t.Fatalf("outcomes: %v", got)
		}
		if hs, lonely := w.Holdings(); len(hs) != 1 || hs[0].Role != tapi.Holder || hs[0].Pieces.Count != 10 || lonely {
			t.Errorf("at last: %+v, lonely %v", hs, lonely)
		}
		if !w.want("", false) || !w.want("in/film.bin", false) {
			t.Error("wanted again, it is not complete")
		}
		if _, err := w.Want(w.manifest.ID(), "elsewhere", false); !errors.Is(err, shoal.ErrConflict) || !strings.Contains(err.Error(), "already at /memory/in/film.bin") {
			t.Errorf("wanted elsewhere: %v", err)
		}
		ty := w.Tally(w.manifest.ID())
		if ty.Bytes.Peers != int64(len(w.data)) || len(ty.Faults) != 1 || ty.Faults[0].Count != 1 || ty.Faults[0].Name != "" {
			t.Errorf("tally: %+v", ty)
		}
	})
}

// Losing every tracker delays the start of a fetch, and no more.
func TestManifestWaitsForATracker(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.trackers = fmt.Errorf("%w: connection refused", shoal.ErrUnavailable)
		w.want("", false)
		time.Sleep(10 * time.Minute)
		if got := w.outcomes(); len(got) != 0 {
			t.Fatalf("gave up: %v", got)
		}
		w.mu.Lock()
		w.trackers = nil
		w.mu.Unlock()
		time.Sleep(10 * time.Second)
		w.session().receive(t, w.data, 0, 10)
		if got := w.outcomes(); len(got) != 1 || got[0] != nil {
			t.Errorf("outcomes: %v", got)
		}
	})
}

func TestManifestIsNotBelieved(t *testing.T) {
	for name, c := range map[string]struct {
		torrent []byte
		kind    error
	}{
		"unknown":         {nil, shoal.ErrNotFound},
		"garbage":         {[]byte("d4:infoe"), nil},
		"another content": {[]byte("other"), shoal.ErrCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				id := shoal.ContentID{7}
				if string(c.torrent) == "other" {
					w.torrents[id] = w.manifest.Torrent()
				} else if c.torrent != nil {
					w.torrents[id] = c.torrent
				}
				if _, err := w.Want(id, "", false); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
				if got := w.outcomes(); len(got) != 1 || got[0] == nil || c.kind != nil && !errors.Is(got[0], c.kind) || len(w.sessions) != 0 {
					t.Errorf("outcomes: %v, %d sessions", got, len(w.sessions))
				}
			})
		})
	}
}

// A failure says why, is not announced, and the next attempt goes on from
// what is there, with the counters.
func TestFailureAndAnotherAttempt(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.want("", false)
		w.session().receive(t, w.data, 0, 3)
		w.session().end(syscall.ENOSPC)
		if got := w.outcomes(); len(got) != 1 || !errors.Is(got[0], syscall.ENOSPC) {
			t.Fatalf("outcomes: %v", got)
		}
		w.restart()
		if hs, _ := w.Holdings(); len(hs) != 0 {
			t.Errorf("announced: %+v", hs)
		}
		if c := w.content(); c.PiecesHeld != 3 || !strings.Contains(c.Error, "no space left") {
			t.Errorf("content: %+v", c)
		}
		w.want("", false)
		w.session().receive(t, w.data, 3, 10)
		if got := w.outcomes(); len(got) != 2 || got[1] != nil {
			t.Errorf("outcomes: %v", got)
		}
		if c := w.content(); c.Error != "" || c.Bytes.Peers != int64(len(w.data)) || c.Faults[0].Count != 2 {
			t.Errorf("content: %+v", c)
		}
	})
}

func TestRestart(t *testing.T) {
	for _, c := range []struct {
		name     string
		pieces   int
		operator bool
		sessions int // after the restart
		role     tapi.Role
	}{
		{"an operator's fetch goes on", 4, true, 1, tapi.Fetcher},
		{"one that has no piece yet, too", 0, true, 1, tapi.Fetcher},
		{"without a request it rests", 4, false, 0, tapi.Fetcher},
		{"a complete one is served", 10, false, 1, tapi.Holder},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.want("x", c.operator)
				w.session().receive(t, w.data, 0, c.pieces)
				before := w.content().Bytes
				w.sessions = nil
				w.restart()
				got := w.content()
				if len(w.sessions) != c.sessions || got.Role != c.role || got.PiecesHeld != c.pieces || got.Bytes != before || got.Path != "/memory/x" {
					t.Errorf("%d sessions, %+v", len(w.sessions), got)
				}
			})
		})
	}
}

func TestDropAndRemove(t *testing.T) {
	drop := func(w *world) error { return w.Drop(w.manifest.ID()) }
	remove := func(w *world) error { return w.Remove(w.manifest.ID()) }
	for _, c := range []struct {
		name     string
		pieces   int
		operator bool
		do       func(*world) error
		stays    bool
	}{
		{"drop a part", 4, false, drop, false},
		{"drop what an operator wants", 4, true, drop, true},
		{"drop what is complete", 10, false, drop, true},
		{"remove a part", 4, true, remove, false},
		{"remove what is complete", 10, false, remove, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.want("", c.operator)
				w.session().receive(t, w.data, 0, c.pieces)
				synctest.Wait()
				if err := c.do(w); err != nil {
					t.Fatal(err)
				}
				for range 2 {
					stored, err := w.store.List()
					if err != nil || (len(stored) == 1) != c.stays || w.Len() != len(stored) {
						t.Errorf("stored %v, known %d, %v", stored, w.Len(), err)
					}
					w.restart()
				}
				if received := w.Totals().Received; !c.stays && received.Peers != 0 {
					t.Errorf("after the restart: %+v", received)
				}
			})
		})
	}
	inWorld(t, func(t *testing.T, w *world) {
		if err := remove(w); !errors.Is(err, shoal.ErrNotFound) {
			t.Errorf("remove what is not there: %v", err)
		}
	})
}

func TestSeed(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		clear(w.torrents)
		for range 2 { // the second time changes nothing
			m, err := w.Seed(t.Context(), w.path, nil, nil)
			if err != nil || m.ID() != w.manifest.ID() {
				t.Fatalf("%v, %v", m, err)
			}
			c := w.content()
			if c.Role != tapi.Origin || c.Path != w.path || c.PiecesHeld != 10 || !w.session().origin || len(w.torrents) != 1 {
				t.Errorf("content: %+v", c)
			}
		}
		w.restart()
		if hs, _ := w.Holdings(); len(hs) != 1 || hs[0].Role != tapi.Origin {
			t.Errorf("after a restart: %+v", hs)
		}
		st := w.session().st
		if err := st.ReadAt(make([]byte, 1), 99, 0); err == nil || w.content().Error != "" {
			t.Errorf("a bad request: %v, %+v", err, w.content())
		}
		if err := os.Chtimes(w.path, time.Time{}, time.Unix(1, 0)); err != nil {
			t.Fatal(err)
		}
		if err := st.ReadAt(make([]byte, 1), 3, 0); !errors.Is(err, shoal.ErrChanged) {
			t.Errorf("read of the changed file: %v", err)
		}
		if c := w.content(); !strings.Contains(c.Error, "changed since it was hashed") {
			t.Errorf("after the file changed: %+v", c)
		}
		if hs, _ := w.Holdings(); len(hs) != 0 {
			t.Errorf("announced after the file changed: %+v", hs)
		}
		if _, err := w.Seed(t.Context(), w.path, nil, nil); err != nil || w.content().Error != "" {
			t.Errorf("seeded anew: %v, %+v", err, w.content())
		}
		if err := w.Remove(w.manifest.ID()); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(w.path); err != nil {
			t.Errorf("removing it removed the file: %v", err)
		}
	})
}

// What no tracker knows nobody could fetch: nothing is seeded then.
func TestSeedNeedsATracker(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.trackers = fmt.Errorf("%w: connection refused", shoal.ErrUnavailable)
		if _, err := w.Seed(t.Context(), w.path, nil, nil); !errors.Is(err, shoal.ErrUnavailable) || !strings.Contains(err.Error(), "once a tracker is up") {
			t.Errorf("seed: %v", err)
		}
		err := w.SeedHashed(t.Context(), w.manifest, func() (string, error) { t.Error("kept"); return w.path, nil })
		if !errors.Is(err, shoal.ErrUnavailable) {
			t.Errorf("seed what is hashed: %v", err)
		}
		if w.Len() != 0 {
			t.Errorf("contents: %+v", w.Contents())
		}
	})
}

// Web seeds reach the tracker, and odd ones nobody.
func TestSeedWithWebSeeds(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		seeds := []string{"http://a/film.bin", "http://b/"}
		if _, err := w.Seed(t.Context(), w.path, seeds, nil); err != nil {
			t.Fatal(err)
		}
		m, err := shoal.DecodeManifest(w.torrents[w.manifest.ID()])
		if err != nil || !slices.Equal(m.WebSeeds(), seeds) {
			t.Errorf("registered %+v, %v", m, err)
		}
		if _, err := w.Seed(t.Context(), w.path, []string{"odd"}, nil); !errors.Is(err, shoal.ErrInvalid) {
			t.Errorf("odd web seed: %v", err)
		}
	})
}

func TestSeedWhatIsHere(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.want("", false)
		w.session().receive(t, w.data, 0, 5)
		if _, err := w.Seed(t.Context(), w.path, nil, nil); !errors.Is(err, shoal.ErrConflict) {
			t.Errorf("while it is fetched: %v", err)
		}
		w.session().receive(t, w.data, 5, 10)
		synctest.Wait()
		if _, err := w.Seed(t.Context(), w.path, nil, nil); err != nil || w.content().Role != tapi.Holder {
			t.Errorf("once it is complete: %v, %+v", err, w.content())
		}
	})
}

// hashing is a store that takes as long to open a content as it is open itself.
type hashing struct {
	store.Store
	closed chan struct{}
	once   sync.Once
}

func (h *hashing) Open(shoal.ContentID) (store.Content, error) {
	<-h.closed
	return nil, os.ErrClosed
}

func (h *hashing) Close() error {
	h.once.Do(func() { close(h.closed) })
	return h.Store.Close()
}

// A node stops in time also while a unit hashes a content there is doubt about.
func TestCloseWhileHashing(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.store = &hashing{Store: w.store, closed: make(chan struct{})}
		w.restart()
		w.want("", true)
		begun := time.Now()
		if err := w.Close(); err != nil || time.Since(begun) != closeTime {
			t.Errorf("closed after %v: %v", time.Since(begun), err)
		}
		if got := w.outcomes(); len(got) != 0 || w.content().Error != "" {
			t.Errorf("told as a failure: %v, %+v", got, w.content())
		}
		w.store = memstore.New()
		w.open()
	})
}
