package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/gateway"
	"github.com/shoal-cdn/shoal/node/ingest"
	ingestapi "github.com/shoal-cdn/shoal/node/ingest/api"
	"github.com/shoal-cdn/shoal/node/ingest/tus"
	"github.com/shoal-cdn/shoal/node/ingest/uploads"
	"github.com/shoal-cdn/shoal/node/library"
	"github.com/shoal-cdn/shoal/node/store"
)

// IngestConfig says whether and how a node takes uploads, on its gateway's addresses.
type IngestConfig struct {
	On bool

	// Store is the folder of the uploads, which nodes may share; "" means one in Data.
	Store string

	// Limits bound what uploads may take; Free of 0 means 1 GiB.
	Limits uploads.Limits

	// Drop is a folder whose files are seeded and distributed as the task files beside
	// them say, absolute; "" for none.
	Drop string
}

// minFree is what uploads leave free of the disk, unless the operator says otherwise.
const minFree = 1 << 30

func (c IngestConfig) check(g GatewayConfig) error {
	l := c.Limits
	switch {
	case !c.On && (c.Store != "" || c.Drop != ""):
		return fmt.Errorf("node: ingest: %w: a folder for uploads, and uploads are not taken", shoal.ErrInvalid)
	case c.On && g.Plain == "" && g.TLS == "":
		return fmt.Errorf("node: ingest: %w: uploads come to the gateway, which is off", shoal.ErrInvalid)
	case l.Size < 0 || l.Total < 0 || l.Open < 0 || l.Free < 0 || l.Idle < 0:
		return fmt.Errorf("node: ingest: %w: negative limit", shoal.ErrInvalid)
	case c.Drop != "" && !filepath.IsAbs(c.Drop):
		return fmt.Errorf("node: ingest: %w: drop folder %q is not absolute", shoal.ErrInvalid, c.Drop)
	}
	return nil
}

// openIngest opens the store of uploads.
func (n *Node) openIngest() error {
	cfg := n.cfg.Ingest
	if !cfg.On {
		return nil
	}
	dir := cmp.Or(cfg.Store, filepath.Join(n.cfg.Data, "ingest"))
	limits := cfg.Limits
	limits.Free = cmp.Or(limits.Free, minFree)
	log := n.log.With("part", "ingest")
	st, err := uploads.Open(uploads.Config{
		Dir: dir, Limits: limits, Log: log,
		Space: func() (free int64, known bool) {
			free, _, known = diskSpace(dir)
			return free, known
		},
	})
	if err != nil {
		return err
	}
	var drop *ingest.Drop
	if cfg.Drop != "" {
		drop = &ingest.Drop{Dir: cfg.Drop, Seed: func(ctx context.Context, path string) (shoal.ContentID, error) {
			m, err := n.library.Seed(ctx, path, nil, nil)
			if err != nil {
				return shoal.ContentID{}, err
			}
			return m.ID(), nil
		}}
	}
	n.ingest, err = ingest.New(ingest.Config{
		Drop: drop, Store: st, Library: host{n.library}, Tracker: n.tracker, Name: n.cfg.Name, Announce: n.announcer.Flush, Log: log,
	})
	if err != nil {
		return errors.Join(err, st.Close())
	}
	n.release = append(n.release, st.Close, n.ingest.Close)
	return nil
}

// mountIngest serves it on the gateway.
func (n *Node) mountIngest(g *gateway.Gateway) {
	if n.ingest == nil {
		return
	}
	h := n.ingest.Handler()
	g.Mount(ingestapi.Path, h)
	g.Mount(ingestapi.Path+"/", h)
	g.Mount(tus.Path, h)
}

// runIngest does what uploads need beside requests, until ctx ends.
func (n *Node) runIngest(ctx context.Context) {
	if n.ingest == nil {
		return
	}
	n.ingest.Run(ctx)
}

// host is a library as the ingest service sees it.
type host struct{ *library.Library }

// Host implements [ingest.Library].
func (h host) Host(ctx context.Context, c store.Content) (ingest.Hosted, error) {
	hosted, err := h.Library.Host(ctx, c)
	if err != nil {
		return nil, err // not hosted: a nil *Hosted is no nil Hosted
	}
	return hosted, nil
}
