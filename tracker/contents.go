package tracker

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

const (
	maxUploads  = 4                // .torrent files in memory at a time
	uploadWait  = 30 * time.Second // for a place among them
	uploadRate  = 512 << 10        // bytes/s that a client has to send one at, at least
	maxContents = 10_000           // in a list
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
		Created: time.Now().UTC(), WebSeeds: m.WebSeeds(),
	}
	// Not the bytes as they came: they may hold more than describes the content.
	if err := t.db.PutContent(ctx, c, m.Torrent()); err != nil {
		return api.Content{}, err
	}
	if err := t.addWebSeeds(ctx, m); err != nil {
		return api.Content{}, err
	}
	t.log.Info("content registered", "content", id, "name", c.Name, "size", c.Size, "web_seeds", len(c.WebSeeds))
	registered, err := t.content(ctx, id)
	t.leases.SetWebSeeds(id, registered.WebSeeds)
	return registered, err
}

// addWebSeeds adds m's web seeds to those of a content that was registered
// before. They only add up: the many nodes that register a content because they
// seed it too know of none, and must not take away what an operator gave.
func (t *Tracker) addWebSeeds(ctx context.Context, m *shoal.Manifest) error {
	if len(m.WebSeeds()) == 0 {
		return nil
	}
	var invalid error
	err := t.db.UpdateWebSeeds(ctx, m.ID(), func(there []string) (urls []string, torrent []byte) {
		merged := mergeWebSeeds(m.WebSeeds(), there)
		if slices.Equal(merged, there) {
			return there, nil
		}
		with, err := m.WithWebSeeds(merged)
		if err != nil {
			invalid = fmt.Errorf("add web seeds to content %s: %w", m.ID().Short(), err)
			return there, nil
		}
		return merged, with.Torrent()
	})
	return cmp.Or(invalid, err)
}

// mergeWebSeeds puts the newer URLs first, since older ones may have expired,
// and leaves out what is too much.
func mergeWebSeeds(newer, older []string) []string {
	merged := slices.Clone(newer)
	for _, u := range older {
		if !slices.Contains(merged, u) {
			merged = append(merged, u)
		}
	}
	return merged[:min(len(merged), shoal.MaxWebSeeds)]
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
