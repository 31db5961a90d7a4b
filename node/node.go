package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/announce"
	"github.com/shoal-cdn/shoal/node/discover"
	"github.com/shoal-cdn/shoal/node/download"
	"github.com/shoal-cdn/shoal/node/ingest"
	"github.com/shoal-cdn/shoal/node/library"
	"github.com/shoal-cdn/shoal/node/peerbook"
	"github.com/shoal-cdn/shoal/node/store"
	"github.com/shoal-cdn/shoal/node/subtask"
	"github.com/shoal-cdn/shoal/swarm"
	"github.com/shoal-cdn/shoal/swarm/dht"
	"github.com/shoal-cdn/shoal/swarm/lan"
	"github.com/shoal-cdn/shoal/swarm/transport"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// saveEvery is how often counters are made durable.
const saveEvery = 2 * time.Second

// Node is a node that has its folder, its addresses and its contents. It is
// safe for concurrent use; Run must be called once, and releases everything.
type Node struct {
	cfg     Config
	log     *slog.Logger
	started time.Time
	version string
	release []func() error // what New took, in that order

	tracker   *tapi.Client
	store     store.Store
	downloads *download.Folder // nil without Config.Web
	host      *transport.Host
	hub       *swarm.Hub
	peers     *peerbook.Book // the last-known ones
	dht       *dht.Service   // nil without Config.DHT
	lan       *lan.Service   // nil without Config.LANPort, or where it cannot be had
	discover  *discover.Discoverer
	library   *library.Library
	tasks     *subtask.Executor
	ahead     *aheads
	paths     transports // of upstreams
	announcer *announce.Announcer
	listener  net.Listener    // nil without an HTTP API
	gateway   *gatewayServer  // nil without a gateway
	ingest    *ingest.Service // nil where uploads are not taken
}

// New takes the data folder and the addresses, and reads what the node was
// doing when it stopped. Nothing is fetched, served or announced before Run.
//
// The error is of kind [shoal.ErrInvalid] where cfg cannot work, and
// [shoal.ErrConflict] where another node runs in the folder.
func New(ctx context.Context, cfg Config) (*Node, error) {
	return open(ctx, cfg, options{})
}

// options are what differs between a daemon and a [Get].
type options struct {
	layout store.Config                        // where the store's folders are; the zero value: in the data folder
	ended  func(id shoal.ContentID, err error) // told of every fetch's end, if not nil; see library.Config
}

func open(ctx context.Context, cfg Config, opts options) (_ *Node, err error) {
	cfg, err = cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	n := &Node{cfg: cfg, log: cfg.Log, started: time.Now(), version: buildVersion()}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.close())
		}
	}()
	if n.tracker, err = trackerClient(cfg.Trackers); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.Data, 0o755); err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	files, err := n.openContents(opts)
	if err != nil {
		return nil, err
	}
	n.paths = newTransports()
	n.ahead = newAheads()
	n.release = append(n.release, n.ahead.close)
	n.tasks, err = subtask.Open(subtask.Config{
		Dir: filepath.Join(cfg.Data, "tasks"), Contents: n.library, Most: cfg.MaxTasks, Changed: n.wake, Log: n.log,
	})
	if err != nil {
		return nil, errors.Join(err, n.library.Close())
	}
	n.release = append(n.release, n.tasks.Close, n.library.Close) // the contents' ends are the tasks' news
	n.announcer = announce.New(n.tracker, local{n}, n.log)
	if err := n.listen(ctx); err != nil {
		return nil, err
	}
	if err := n.openIngest(); err != nil {
		return nil, err
	}
	if err := n.openGateway(ctx); err != nil {
		return nil, err
	}
	n.log.Info("node ready", "name", cfg.Name, "id", n.host.ID(), "addrs", n.host.Addrs(), "http", n.URL(), "gateway", n.GatewayURLs(), "files", files)
	return n, nil
}

// openContents opens what holds and moves contents.
func (n *Node) openContents(opts options) (files string, err error) {
	layout := opts.layout
	layout.Log = n.log
	if layout.Root == "" {
		layout.Root = n.cfg.Data
	}
	if layout.Files == "" {
		layout.Files = "files"
	}
	disk, err := store.OpenDisk(layout) // which locks out other processes
	if errors.Is(err, shoal.ErrConflict) {
		return "", fmt.Errorf("data folder %s is in use by another node; stop that or choose another folder: %w", n.cfg.Data, err)
	}
	if err != nil {
		return "", err
	}
	n.store = disk
	n.release = append(n.release, disk.Close)
	if err := n.openDownloads(); err != nil {
		return "", err
	}
	key, err := identity(n.cfg.Data)
	if err != nil {
		return "", err
	}
	if n.host, err = transport.New(transport.Config{Key: key, Listen: n.cfg.Listen, Announce: n.cfg.Announce, Log: n.log}); err != nil {
		return "", err
	}
	n.release = append(n.release, n.host.Close)
	n.peers = peerbook.Open(filepath.Join(n.cfg.Data, "peers.json"), n.host.ID(), n.log)
	n.hub = swarm.NewHub(n.host, swarm.Config{
		Name: n.cfg.Name, Locality: n.cfg.Locality, Up: n.cfg.Up, Down: n.cfg.Down, Log: n.log,
		Met: func(p swarm.Peer) { n.peers.Met(p) },
	})
	n.openDHT()
	n.openLAN(key)
	n.openDiscovery()
	n.release = append(n.release, func() error { n.hub.Close(); return nil })

	files = filepath.Join(layout.Root, filepath.FromSlash(layout.Files))
	n.library, err = library.Open(library.Config{
		Store: disk, Torrents: n.torrents(), FromPeers: n.fromPeers(), Join: n.join, Arrive: n.arrive, Peers: n.introductions(),
		Records: filepath.Join(n.cfg.Data, "contents"), Files: files, Log: n.log,
		Pull: n.pull, Changed: n.wake,
		Ended: func(id shoal.ContentID, err error) {
			n.tasks.Settle(id, err)
			if err != nil {
				n.ahead.drop(id)
			}
			if opts.ended != nil {
				opts.ended(id, err)
			}
		},
	})
	if err == nil {
		n.serveManifests()
	}
	return files, err
}

func (n *Node) join(m *shoal.Manifest, st swarm.Store, origin bool) (library.Session, error) {
	timed := &timedStore{Store: st}
	s, err := n.hub.Join(m, timed, origin)
	if err != nil {
		return nil, err // not s: a nil *Swarm is no nil Session
	}
	return n.newSession(m, timed, s), nil
}

// wake tells the announcer of news. The library and the sub-tasks have none
// before Run.
func (n *Node) wake() { n.announcer.Wake() }

// Run serves until ctx ends, then stops in good order: it tells the tracker,
// leaves the swarms, and makes everything durable. It returns nil where it
// was ctx that ended it and all of that worked.
func (n *Node) Run(ctx context.Context) error {
	if err := n.library.Restore(); err != nil {
		return errors.Join(err, n.close())
	}
	n.tasks.Resume()
	return n.work(ctx)
}

// work is the node's concurrent parts, from the time its contents are
// restored to the end.
func (n *Node) work(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, n.close()) }()
	g, ctx := errgroup.WithContext(ctx)
	if len(n.cfg.Trackers) > 0 {
		g.Go(func() error { n.announcer.Run(ctx); return nil })
	}
	g.Go(func() error { n.find(ctx); return nil })
	g.Go(func() error { n.save(ctx); return nil })
	g.Go(func() error { n.runIngest(ctx); return nil })
	g.Go(func() error { n.peers.Run(ctx); return nil })
	g.Go(func() error { return n.serve(ctx) })
	g.Go(func() error { return n.serveGateway(ctx) })
	g.Go(func() error { <-ctx.Done(); n.log.Info("stopping"); return nil })
	return g.Wait()
}

// save makes counters durable now and then.
func (n *Node) save(ctx context.Context) {
	tick := time.NewTicker(saveEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			n.library.Save()
		}
	}
}

// close releases what New took, the newest first.
func (n *Node) close() error {
	var errs []error
	for i := len(n.release) - 1; i >= 0; i-- {
		errs = append(errs, n.release[i]())
	}
	n.release = nil
	return errors.Join(errs...)
}

// ID names the node.
func (n *Node) ID() shoal.NodeID { return n.host.ID() }

// URL is the base URL of the node's HTTP API; "" without one.
func (n *Node) URL() string {
	if n.listener == nil {
		return ""
	}
	return baseURL(n.listener.Addr(), n.host.Addrs())
}
