package ingest

import (
	"context"
	"time"
)

// tell has the swarm know a piece that is held. What it does not get to know now, follow tells it.
func (a *active) tell(ctx context.Context, piece int, data []byte) {
	a.mu.Lock()
	h := a.hosted
	known := h == nil || a.told.Has(piece)
	a.mu.Unlock()
	if known || !h.Running() {
		return
	}
	if err := h.Deliver(ctx, piece, data); err != nil {
		a.s.log.Debug("a piece was not told", "upload", a.u.Task(), "piece", piece, "err", err)
		return
	}
	a.knows(h, piece)
}

func (a *active) knows(h Hosted, piece int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.told != nil && a.hosted == h {
		a.told.Add(piece)
	}
}

// follow takes note of what other servers have done for the upload.
func (a *active) follow(ctx context.Context) error {
	if a.atRest(time.Now()) {
		return nil
	}
	if err := a.u.Refresh(); err != nil {
		return err
	}
	a.mu.Lock()
	h, told, tried := a.hosted, a.told, a.tried
	if told != nil {
		told = told.Clone()
	}
	a.mu.Unlock()
	if h == nil || !h.Running() {
		if time.Since(tried) >= hostAgain {
			a.mu.Lock()
			a.tried = time.Now()
			a.mu.Unlock()
			a.hostSoon()
		}
		return nil
	}
	if told.Full() {
		return nil
	}
	for piece := range a.u.Pieces().AndNot(told) {
		data, err := a.u.ReadPiece(piece)
		if err != nil {
			return err
		}
		a.tell(ctx, piece, data)
	}
	return nil
}

// restEvery is how often an upload is looked at that is complete, and of which the swarm knows all.
const restEvery = 30 * time.Second

// atRest reports whether there is nothing to look for now, since the only thing that can still happen
// is that the upload is deleted.
func (a *active) atRest(now time.Time) bool {
	complete := a.u.Complete()
	a.mu.Lock()
	defer a.mu.Unlock()
	if complete && a.hosted != nil && a.hosted.Running() && a.told.Full() && now.Sub(a.looked) < restEvery {
		return true
	}
	a.looked = now
	return false
}
