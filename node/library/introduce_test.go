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
			if len(w.introductions.of) != 0 {
				t.Errorf("%s: left: %v", name, w.introductions.of)
			}
		})
	}
}

// Look-ups that lead to nothing don't fill memory.
func TestIntroductionsAreBounded(t *testing.T) {
	var i introductions
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
