package library

import (
	"context"
	"errors"
	"testing"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/store"
	"github.com/shoal-cdn/shoal/swarm"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// arriving is a content that somebody else keeps: in memory, and in place once it is published.
type arriving struct {
	store.Content
	inPlace bool
}

func (a *arriving) InPlace() bool { return a.inPlace }
func (a *arriving) Close() error  { return nil }

func (a *arriving) Publish() error {
	a.inPlace = true
	return nil
}

// arrivingSession is a swarm that takes pieces.
type arrivingSession struct{ *fakeSession }

func (s *arrivingSession) Deliver(_ context.Context, piece int, data []byte) error {
	if !s.m.VerifyPiece(piece, data) {
		return shoal.ErrCorrupt
	}
	if err := s.st.WritePiece(piece, data); err != nil {
		return err
	}
	if s.st.Pieces().Full() {
		close(s.complete)
	}
	return nil
}

// B3: a hosted content is announced while it arrives, and becomes an origin in the same session.
func TestHost(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.cfg.Arrive = func(m *shoal.Manifest, st swarm.Store) (ArrivingSession, error) {
			s, err := w.join(m, st, false)
			return &arrivingSession{s.(*fakeSession)}, err
		}
		kept, err := w.store.Create(w.manifest, "")
		if err != nil {
			t.Fatal(err)
		}
		c := &arriving{Content: kept}
		h, err := w.Host(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Host(t.Context(), c); !errors.Is(err, shoal.ErrConflict) {
			t.Errorf("hosted twice: %v", err)
		}
		id, n := w.manifest.ID(), w.manifest.NumPieces()
		deliver := func(piece int, data []byte) error {
			t.Helper()
			_, off := w.manifest.Locate(piece)
			if data == nil {
				data = w.data[off : off+int64(w.manifest.PieceSize(piece))]
			}
			return h.Deliver(t.Context(), piece, data)
		}
		if err := deliver(0, make([]byte, w.manifest.PieceSize(0))); !errors.Is(err, shoal.ErrCorrupt) {
			t.Errorf("a wrong piece: %v", err)
		}
		if _, err := w.Seed(t.Context(), w.path, nil, nil); !errors.Is(err, shoal.ErrConflict) {
			t.Errorf("seeded while it arrives: %v", err)
		}
		for piece := range n {
			if hs, _ := w.Holdings(); len(hs) != 1 || hs[0].Role != tapi.Fetcher || hs[0].Pieces.Count != piece {
				t.Fatalf("after %d pieces: %+v", piece, hs)
			}
			if err := deliver(piece, nil); err != nil {
				t.Fatal(err)
			}
		}
		first := w.session()
		if hs, _ := w.Holdings(); len(hs) != 1 || hs[0].Role != tapi.Origin || first.left || !h.Running() {
			t.Errorf("after all pieces: %+v, left %v", hs, first.left)
		}
		if err := w.Drop(id); err != nil {
			t.Error(err)
		}
		// It is served already, from where it was uploaded to, and stays there.
		if _, err := w.Seed(t.Context(), w.path, nil, nil); err != nil || first.left || len(w.sessions) != 1 || w.content().Path == w.path {
			t.Errorf("seeded: %v; left %v, %d sessions, at %s", err, first.left, len(w.sessions), w.content().Path)
		}
		if err := w.Remove(id); !errors.Is(err, shoal.ErrConflict) {
			t.Errorf("removed: %v", err)
		}
		h.End()
		h.End()
		if w.Len() != 0 || !first.left {
			t.Error("still there after the end")
		}
		if err := deliver(0, nil); !errors.Is(err, shoal.ErrUnavailable) {
			t.Errorf("delivered after the end: %v", err)
		}
	})
}
