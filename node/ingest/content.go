package ingest

import (
	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/store"
)

// content is an upload as a library serves it. It is in place once it is complete.
type content struct {
	a *active
	m *shoal.Manifest
}

var _ store.Content = (*content)(nil)

// Manifest implements [store.Content].
func (c *content) Manifest() *shoal.Manifest { return c.m }

// Pieces implements [store.Content].
func (c *content) Pieces() *shoal.PieceSet { return c.a.u.Pieces() }

// ReadAt implements [store.Content].
func (c *content) ReadAt(p []byte, piece int, off int64) error { return c.a.u.ReadAt(p, piece, off) }

// WritePiece implements [store.Content]. Most pieces are there: the swarm is only being told of them. Others
// had been lost here, and come back from a peer.
func (c *content) WritePiece(piece int, data []byte) error {
	if c.a.u.Has(piece) {
		return nil
	}
	return c.a.u.WriteVerified(piece, data)
}

// Sync implements [store.Content].
func (c *content) Sync() error { return c.a.u.Sync(c.a.ctx) }

// Publish implements [store.Content]: all pieces are here, so nothing else is needed to complete the upload.
func (c *content) Publish() error { return c.a.u.Finish(c.a.ctx) }

// Path implements [store.Content].
func (c *content) Path() string { return c.a.u.Path() }

// InPlace implements [store.Content].
func (c *content) InPlace() bool { return c.a.u.Complete() }

// Close implements [store.Content]. The upload stays.
func (c *content) Close() error { return nil }
