package tracker

import (
	"context"
	"fmt"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

const (
	maxUploads  = 4      // .torrent files in memory at a time
	maxContents = 10_000 // in a list
)

func (t *Tracker) putContent(ctx context.Context, id shoal.ContentID, torrent []byte) (api.Content, error) {
	m, err := shoal.DecodeManifest(torrent)
	if err != nil {
		return api.Content{}, fmt.Errorf("register content %s: %w", id.Short(), err)
	}
	if m.ID() != id {
		return api.Content{}, fmt.Errorf("register content %s: %w: the torrent is of content %s", id.Short(), shoal.ErrInvalid, m.ID())
	}
	c := api.Content{
		ID: id, Name: m.Name(), Size: m.Size(), Files: len(m.Files()), Pieces: m.NumPieces(), PieceLength: m.PieceLength(),
		Created: time.Now().UTC(),
	}
	// Not the bytes as they came: they may hold more than describes the content.
	if err := t.db.PutContent(ctx, c, m.Torrent()); err != nil {
		return api.Content{}, err
	}
	t.log.Info("content registered", "content", id, "name", c.Name, "size", c.Size)
	return t.content(ctx, id)
}

func (t *Tracker) content(ctx context.Context, id shoal.ContentID) (api.Content, error) {
	c, err := t.db.Content(ctx, id)
	if err == nil {
		t.nodes.Count(&c)
	}
	return c, err
}

func (t *Tracker) contents(ctx context.Context) ([]api.Content, error) {
	list, err := t.db.Contents(ctx, maxContents)
	for i := range list {
		t.nodes.Count(&list[i])
	}
	return list, err
}
