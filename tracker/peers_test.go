package tracker

import (
	"errors"
	"testing"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// TestPeersBeforeAnnounce: a live node is told who has a content before it announces that
// it fetches it.
func TestPeersBeforeAnnounce(t *testing.T) {
	_, c := onLoopback(t, newTracker(t))
	m := content(t, 1)
	announce := func(id shoal.NodeID, holdings ...api.Holding) {
		must(c.Announce(t.Context(), api.Announce{
			Node: api.NodeInfo{ID: id, Name: string(id), Addrs: []string{"/ip4/198.18.0.1/tcp/1"}}, Session: "s", Seq: 1, Full: true, Holdings: holdings,
		}))
	}
	announce("a", api.Holding{Content: m.ID(), Role: api.Origin, Pieces: shoal.FullPieceSet(m.NumPieces()).Pieces()})
	announce("b")
	for _, tt := range []struct {
		content shoal.ContentID
		node    shoal.NodeID
		want    int
	}{{m.ID(), "b", 1}, {m.ID(), "stranger", 0}, {shoal.ContentID{1}, "b", 0}} {
		peers := must(c.Peers(t.Context(), tt.content, tt.node))
		if len(peers) != tt.want || tt.want > 0 && (peers[0].ID != "a" || peers[0].Role != api.Origin) {
			t.Errorf("content %s for %s: %+v", tt.content.Short(), tt.node, peers)
		}
	}
	if _, err := c.Peers(t.Context(), m.ID(), "no/node"); !errors.Is(err, shoal.ErrInvalid) {
		t.Errorf("for nobody: %v", err)
	}
}
