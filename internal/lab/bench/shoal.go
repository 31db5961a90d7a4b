//go:build linux

package main

import (
	"context"
	"path/filepath"
	"slices"
	"sync"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/internal/lab/cluster"
	napi "github.com/shoal-cdn/shoal/node/api"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// shoalDriver runs shoal. A task for each content, created through the tracker's
// API, is the order; the copy appears under its final name when it is complete.
// Nodes are told the rates of their links, as operators do.
type shoalDriver struct {
	*crew
	cluster *cluster.Cluster
	tracker *cluster.Tracker
	client  *tapi.Client
	seeded  []shoal.ContentID // in the order of contents

	ordersMu sync.Mutex // guards the fields below
	nodes    map[string]*cluster.Node
	tasks    []string // IDs
}

func openShoal(s stage) (driver, error) {
	return &shoalDriver{
		crew:    newCrew(s),
		cluster: cluster.Open(cluster.Config{Binary: s.shoal, Data: s.dir, Logs: s.dir}),
		nodes:   make(map[string]*cluster.Node),
	}, nil
}

func (d *shoalDriver) startOrigin(ctx context.Context, m member) (err error) {
	if d.tracker, err = d.cluster.StartTracker(ctx, d.stage.tracker, trackerArgs(d.scenario)...); err != nil {
		return err
	}
	if d.client, err = tapi.NewClient([]string{d.tracker.URL}, d.stage.tracker.HTTPClient()); err != nil {
		return err
	}
	if d.scenario.cold {
		return d.registerAll(ctx, m)
	}
	origin, err := d.startDaemon(ctx, m)
	if err != nil {
		return err
	}
	for _, c := range d.contents {
		s, err := origin.Seed(ctx, c.path)
		if err != nil {
			return err
		}
		d.seeded = append(d.seeded, s.Content)
	}
	return nil
}

func (d *shoalDriver) startNode(ctx context.Context, m member) error {
	if _, err := d.startDaemon(ctx, m); err != nil {
		return err
	}
	return until(ctx, "wait for the tracker to know "+m.name, nil, func(ctx context.Context) (bool, error) {
		nodes, err := d.client.Nodes(ctx)
		return slices.ContainsFunc(nodes, func(n tapi.Node) bool { return n.Name == m.name }), err
	})
}

func (d *shoalDriver) startDaemon(ctx context.Context, m member) (*cluster.Node, error) {
	n, err := d.cluster.StartNode(ctx, m.host, cluster.NodeConfig{
		Name: m.name, Slot: m.slot, Trackers: []string{d.tracker.URL}, Up: m.link.up, Down: m.link.down,
		Locality: locality(d.scenario, m), Args: nodeArgs(d.scenario),
	})
	if err == nil {
		d.add(m, n.Process)
		d.ordersMu.Lock()
		d.nodes[m.name] = n
		d.ordersMu.Unlock()
	}
	return n, err
}

func (d *shoalDriver) fetch(ctx context.Context, ms []member) error {
	names := make([]string, len(ms))
	for i, m := range ms {
		names[i] = m.name
	}
	for _, id := range d.seeded {
		task, err := d.client.CreateTask(ctx, tapi.NewTask{Content: id, Nodes: names})
		if err != nil {
			return err
		}
		d.ordersMu.Lock()
		d.tasks = append(d.tasks, task.ID)
		d.ordersMu.Unlock()
	}
	return nil
}

// nodeArgs are a node's further flags. Web seeds in a lab are not at public
// addresses.
func nodeArgs(s scenario) []string {
	if !s.cold {
		return nil
	}
	return []string{"--web-allow", "198.18.0.0/15"}
}

func trackerArgs(s scenario) []string {
	if s.noLeases {
		return []string{"--leases=false"}
	}
	return nil
}

// locality is what a node is told of its place, where a scenario is about places.
func locality(s scenario, m member) shoal.Locality {
	if s.line == nil && s.mesh == nil && !s.cold {
		return shoal.Locality{}
	}
	return shoal.Locality{Carrier: m.host.Carrier().Name()}
}

func (d *shoalDriver) output(m member, c content) string {
	return filepath.Join(d.home(m), "files", c.name)
}

func (d *shoalDriver) marker(m member, c content) string { return d.output(m, c) }

func (d *shoalDriver) close() error { return d.cluster.Close() }

// received counts the verified pieces.
func (d *shoalDriver) received(ctx context.Context, m member, c content) (int64, error) {
	d.ordersMu.Lock()
	n := d.nodes[m.name]
	d.ordersMu.Unlock()
	var all []napi.Content
	if err := n.Get(ctx, "/v1/contents", &all); err != nil {
		return 0, err
	}
	for _, held := range all {
		if held.ID == d.seeded[c.index] {
			return int64(held.PiecesHeld) * int64(held.PieceLength), nil
		}
	}
	return 0, nil
}
