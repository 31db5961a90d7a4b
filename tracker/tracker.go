package tracker

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/netprobe/where"
	"github.com/shoal-cdn/shoal/tracker/db"
	"github.com/shoal-cdn/shoal/tracker/leases"
	"github.com/shoal-cdn/shoal/tracker/registry"
	"github.com/shoal-cdn/shoal/tracker/tasks"
	"github.com/shoal-cdn/shoal/tracker/topology"
	"golang.org/x/sync/singleflight"
)

const (
	sweepEvery = time.Second
	saveEvery  = 2 * time.Second // progress of sub-tasks; changes of state are saved at once

	databaseFile = "tracker.db"
)

// Config says what a tracker needs.
type Config struct {
	Data        string        // directory of its database, created if absent
	Log         *slog.Logger  // nil: logs are dropped
	NodeTimeout time.Duration // after which a dead node's sub-tasks fail; 0: 10 minutes; negative is refused
	NoLeases    bool          // let every node read all of a content from its web seed, to see what leases save
	Version     string        // of the program, for the OpenAPI document; "": "devel"

	// Where says where addresses are, for nodes that don't say it themselves; nil:
	// nothing does.
	Where *where.Sources
}

// Tracker is a running tracker. It is safe for concurrent use.
type Tracker struct {
	log      *slog.Logger
	started  time.Time
	db       *db.DB
	nodes    *registry.Registry
	tasks    *tasks.Engine
	leases   *leases.Planner
	topology *topology.Matrix
	where    *where.Sources
	free     bool               // Config.NoLeases
	reading  singleflight.Group // of contents to be leased
	saver    saver
	metrics  *metrics
	uploads  chan struct{} // a slot for every .torrent that may be in memory
	handler  http.Handler
	closing  context.Context // ends held answers
	close    context.CancelFunc
}

// New opens the database and takes up what is in it. The caller runs the
// tracker by [Tracker.Serve], or by [Tracker.Run] beside a server of its own,
// and closes it.
func New(cfg Config) (*Tracker, error) {
	if cfg.NodeTimeout < 0 {
		return nil, fmt.Errorf("tracker: %w: node timeout %v", shoal.ErrInvalid, cfg.NodeTimeout)
	}
	if cfg.NodeTimeout == 0 {
		cfg.NodeTimeout = 10 * time.Minute
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Version == "" {
		cfg.Version = "devel"
	}
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return nil, fmt.Errorf("tracker: %w", err)
	}
	ctx := context.Background()
	d, err := db.Open(ctx, filepath.Join(cfg.Data, databaseFile))
	if err != nil {
		return nil, fmt.Errorf("tracker: %w", err)
	}
	t := &Tracker{
		log:      cfg.Log,
		started:  time.Now(),
		db:       d,
		nodes:    registry.New(newRand()),
		tasks:    tasks.NewEngine(cfg.NodeTimeout),
		topology: topology.New(),
		where:    cfg.Where,
		free:     cfg.NoLeases,
		uploads:  make(chan struct{}, maxUploads),
	}
	if t.where == nil {
		t.where = new(where.Sources)
	}
	t.closing, t.close = context.WithCancel(ctx)
	t.saver.save = t.saveTasks
	t.metrics = newMetrics(t)
	t.metrics.all.MustRegister(carrierBytes{t})
	if err := t.restore(ctx); err != nil {
		t.Close()
		return nil, fmt.Errorf("tracker: %w", err)
	}
	if t.handler, err = t.routes(cfg.Version); err != nil {
		t.Close()
		return nil, fmt.Errorf("tracker: %w", err)
	}
	return t, nil
}

func newRand() *rand.Rand { return rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())) }

// restore takes up the nodes and the open tasks from the database.
func (t *Tracker) restore(ctx context.Context) error {
	nodes, err := t.db.Nodes(ctx)
	if err != nil {
		return err
	}
	for _, n := range nodes {
		t.nodes.Restore(n)
	}
	cfg := leases.Config{Nodes: t.nodes, Rand: newRand(), Read: t.metrics.read}
	if len(nodes) > 0 {
		cfg.Open = t.started.Add(leasesAfterStart)
	}
	t.leases = leases.New(cfg)
	open, err := t.db.OpenTasks(ctx)
	if err != nil {
		return err
	}
	for _, task := range open {
		t.tasks.Add(task)
	}
	t.log.Info("tracker restored", "nodes", len(nodes), "open_tasks", len(open))
	return nil
}

// Handler serves the HTTP API. Its requests are only as safe against slow
// clients as the server's header timeout: see [Tracker.Serve].
func (t *Tracker) Handler() http.Handler { return t.handler }

// Run does the background work until ctx ends: it declares silent nodes dead, fails
// the sub-tasks of those that don't return, and saves progress. It returns nil then.
func (t *Tracker) Run(ctx context.Context) error {
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	save := time.NewTicker(saveEvery)
	defer save.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-sweep.C:
			t.sweep(ctx, time.Now())
		case <-save.C:
			if err := t.saver.Save(ctx); err != nil && ctx.Err() == nil {
				t.log.Error("saving tasks failed, will try again", "err", err)
			}
		}
	}
}

func (t *Tracker) sweep(ctx context.Context, now time.Time) {
	dead := t.nodes.Sweep(now)
	for _, n := range dead {
		t.log.Warn("node is dead", "node", n.Name, "id", n.ID, "seen", n.Seen)
		t.leases.Forget(now, n.ID)
	}
	t.leases.Sweep(now)
	t.topology.Sweep(now)
	if err := t.saveNodes(ctx, dead); err != nil {
		t.log.Error("saving dead nodes failed", "err", err)
	}
	t.tasks.Sweep(now, t.lastSeen)
}

// lastSeen is when a node was last known to be alive. While the tracker was
// down it could not know, so that time doesn't count.
func (t *Tracker) lastSeen(id shoal.NodeID) (time.Time, bool) {
	n, ok := t.nodes.Node(id)
	if !ok || n.Seen.Before(t.started) {
		return t.started, n.Alive
	}
	return n.Seen, n.Alive
}

// Close answers what is held back, saves what isn't saved yet and closes the
// database. Requests that come later fail.
func (t *Tracker) Close() error {
	t.close()
	ctx, cancel := context.WithTimeout(context.Background(), saveTimeout)
	defer cancel()
	if err := t.saver.Save(ctx); err != nil {
		t.log.Error("saving tasks failed", "err", err)
	}
	if err := t.saveNodes(ctx, t.nodes.Nodes()); err != nil {
		t.log.Error("saving nodes failed", "err", err)
	}
	return t.db.Close()
}
