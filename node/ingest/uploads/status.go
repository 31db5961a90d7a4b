package uploads

import (
	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/ingest/api"
)

// Pieces is a copy of the set of the content's pieces that can be read, for an upload
// whose manifest is known.
func (u *Upload) Pieces() *shoal.PieceSet {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.pieces.Clone()
}

// Has reports whether chunk k can be read, durable or not.
func (u *Upload) Has(k int) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.held.Has(k)
}

// Missing is which chunks from first up to end are not durable, and the lowest of all.
func (u *Upload) Missing(first, end int) (missing []api.Run, next int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.complete() {
		return []api.Run{}, u.chunks.n
	}
	return u.ledger.missing(first, end, api.MaxMissing), u.nextChunk()
}

// nextChunk needs mu.
func (u *Upload) nextChunk() int {
	if runs := u.ledger.missing(0, u.chunks.n, 1); len(runs) > 0 {
		return runs[0].First
	}
	return u.chunks.n
}

// Status is what is durable. Server, Distributed and the error of hosting it are the caller's to fill in.
func (u *Upload) Status() api.Status {
	u.mu.Lock()
	defer u.mu.Unlock()
	st := api.Status{
		Task: u.rec.Task, State: api.Receiving, Name: u.rec.Name, Size: u.rec.Size, Chunks: u.chunks.n,
		Next: u.chunks.n, Missing: []api.Run{}, Received: u.rec.Size,
	}
	if u.manifest != nil {
		st.Content = u.manifest.ID().String()
	}
	if u.complete() {
		st.State = api.Complete
		return st
	}
	if len(u.completing) > 0 {
		st.State = api.Verifying
	}
	st.Next, st.Missing, st.Received = u.nextChunk(), u.ledger.missing(0, u.chunks.n, api.MaxMissing), 0
	for k := range u.chunks.n {
		if u.ledger.has(k) {
			_, _, size := u.chunks.at(k)
			st.Received += int64(size)
		}
	}
	st.Expires = u.progress.Add(u.store.cfg.Limits.Idle).UTC()
	return st
}
