package library

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/swarm"
)

// A fetch for a reader begins with the peers that the tracker named together with the
// manifest, whichever comes first; those that come for nothing are forgotten.
func TestReaderBeginsWithPeers(t *testing.T) {
	for name, slow := range map[string]time.Duration{"at once": 0, "after the manifest": time.Second} {
		inWorld(t, func(t *testing.T, w *world) {
			w.cfg.Peers = func(ctx context.Context, id shoal.ContentID) []swarm.Peer {
				select {
				case <-time.After(slow):
				case <-ctx.Done():
				}
				return []swarm.Peer{{ID: "origin", Seed: true}}
			}
			r := w.read()
			if slow == 0 {
				synctest.Wait()
			}
			done := w.wait(r, 0, 1)
			s := w.session()
			time.Sleep(2 * slow)
			synctest.Wait()
			s.mu.Lock()
			if !slices.EqualFunc(s.peers, []shoal.NodeID{"origin"}, func(p swarm.Peer, id shoal.NodeID) bool { return p.ID == id }) {
				t.Errorf("%s: peers %+v", name, s.peers)
			}
			s.mu.Unlock()
			s.receive(t, w.data, 0, 10)
			if err := <-done; err != nil {
				t.Error(err)
			}
			if len(w.lookedUp.of) != 0 {
				t.Errorf("%s: left: %v", name, w.lookedUp.of)
			}
		})
	}
}

// Look-ups that lead to nothing don't fill memory.
func TestIntroductionsAreBounded(t *testing.T) {
	i := introductions{most: maxLookUps}
	now := time.Unix(0, 0)
	for n := range byte(200) {
		i.put(shoal.ContentID{n}, []swarm.Peer{{ID: "p"}}, now)
	}
	if len(i.of) > maxLookUps {
		t.Errorf("%d are kept", len(i.of))
	}
	i.put(shoal.ContentID{250}, []swarm.Peer{{ID: "p"}}, now.Add(introductionTime))
	if len(i.of) != 1 || i.take(shoal.ContentID{250}) == nil || i.take(shoal.ContentID{250}) != nil {
		t.Errorf("kept: %v", i.of)
	}
}

// told is who the session was told of so far.
func (s *fakeSession) told() (ids []shoal.NodeID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.peers {
		ids = append(ids, p.ID)
	}
	return ids
}

// Peers that come with an order, which is carried out after them, are its fetch's from the
// beginning; and so are those that come while the manifest is looked for.
func TestOrderBeginsWithPeers(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		of := func(p shoal.NodeID) map[shoal.ContentID][]swarm.Peer {
			return map[shoal.ContentID][]swarm.Peer{w.manifest.ID(): {{ID: p}}}
		}
		w.mu.Lock()
		w.trackers = shoal.ErrUnavailable
		w.mu.Unlock()
		w.AddPeers(of("with the order"))
		w.want("", false)
		synctest.Wait()
		w.AddPeers(of("a"))
		w.AddPeers(of("b"))
		w.mu.Lock()
		w.trackers = nil
		w.mu.Unlock()
		time.Sleep(10 * time.Second)
		if got := w.session().told(); !slices.Equal(got, []shoal.NodeID{"with the order", "a", "b"}) {
			t.Errorf("peers %v", got)
		}
		if len(w.ordered.of) != 0 {
			t.Errorf("left: %v", w.ordered.of)
		}
	})
}

// Peers of contents that nobody fetches fill no memory, and take nothing from readers.
func TestPeersOfNothingAreBounded(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		for n := range byte(200) {
			w.AddPeers(map[shoal.ContentID][]swarm.Peer{{n}: {{ID: "p"}}})
		}
		if len(w.ordered.of) != maxOrdered || len(w.lookedUp.of) != 0 {
			t.Errorf("kept for %d and %d contents", len(w.ordered.of), len(w.lookedUp.of))
		}
		u := newUnit(w.Library, shoal.ContentID{1}, record{}, true)
		u.addPeers(make([]swarm.Peer, maxEarly-1))
		u.addPeers([]swarm.Peer{{ID: "p"}, {ID: "last"}})
		if n := len(u.early); n != maxEarly || u.early[n-1].ID != "last" {
			t.Errorf("%d are kept for one content", n)
		}
	})
}
