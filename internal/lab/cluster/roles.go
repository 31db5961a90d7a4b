//go:build linux

package cluster

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/internal/lab"
	napi "github.com/shoal-cdn/shoal/node/api"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// Tracker is a running "shoal tracker".
type Tracker struct{ *Server }

// StartTracker starts a tracker, named after its host, and waits until it is
// ready. args are further flags.
func (c *Cluster) StartTracker(ctx context.Context, h *lab.Host, args ...string) (*Tracker, error) {
	name, addr := "tracker-"+h.Name(), h.AddrPort(trackerPort).String()
	s, err := c.start(ctx, h, name, addr, slices.Concat([]string{
		"tracker", "--listen", addr, "--data", filepath.Join(c.cfg.Data, name),
	}, args))
	if err != nil {
		return nil, err
	}
	return &Tracker{s}, nil
}

// Distribute creates a task for these nodes, by name or "all", and waits until
// it ended. A task that did not succeed is returned together with an error.
func (t *Tracker) Distribute(ctx context.Context, content shoal.ContentID, nodes ...string) (tapi.Task, error) {
	var task tapi.Task
	err := t.cluster.Command(ctx, t.Host(), &task, "task", "create", content.String(),
		"--tracker", t.URL, "--nodes", strings.Join(nodes, ","), "--wait", "--json")
	if err == nil && task.State != tapi.Succeeded {
		err = fmt.Errorf("task %s ended as %q", task.ID, task.State)
	}
	return task, err
}

// NodeConfig describes a "shoal node".
type NodeConfig struct {
	Name     string   // "": its host's
	Slot     int      // tells the nodes of one host apart: each has ports of its own; 0 to 69
	Trackers []string // their base URLs
	Locality shoal.Locality
	Up, Down shoal.Rate // what the node is told of its link; 0: nothing
	Args     []string   // further flags
}

// Node is a running "shoal node".
type Node struct{ *Server }

// StartNode starts a node and waits until it is ready.
func (c *Cluster) StartNode(ctx context.Context, h *lab.Host, cfg NodeConfig) (*Node, error) {
	if cfg.Name == "" {
		cfg.Name = h.Name()
	}
	http := h.AddrPort(uint16(httpPort + cfg.Slot)).String()
	s, err := c.start(ctx, h, cfg.Name, http, nodeArgs(h, cfg, http, filepath.Join(c.cfg.Data, cfg.Name)))
	if err != nil {
		return nil, err
	}
	return &Node{s}, nil
}

func nodeArgs(h *lab.Host, cfg NodeConfig, http, data string) []string {
	args := []string{
		"node", "--tracker", strings.Join(cfg.Trackers, ","), "--data", data,
		"--listen", h.AddrPort(uint16(nodePort + cfg.Slot)).String(), "--http", http, "--name", cfg.Name,
		"--gateway", h.AddrPort(uint16(plainPort + cfg.Slot)).String(), "--gateway-tls", h.AddrPort(uint16(securePort + cfg.Slot)).String(),
	}
	for _, f := range []struct{ flag, value string }{
		{"--carrier", cfg.Locality.Carrier},
		{"--region", cfg.Locality.Region},
		{"--site", cfg.Locality.Site},
	} {
		if f.value != "" {
			args = append(args, f.flag, f.value)
		}
	}
	if cfg.Up != 0 {
		args = append(args, "--up", cfg.Up.String())
	}
	if cfg.Down != 0 {
		args = append(args, "--down", cfg.Down.String())
	}
	return append(args, cfg.Args...)
}

// Seed hashes, registers and serves a path from the node, in place.
func (n *Node) Seed(ctx context.Context, path string) (napi.Seeded, error) {
	var seeded napi.Seeded
	err := n.cluster.Command(ctx, n.Host(), &seeded, "seed", path, "--node", n.URL, "--json")
	return seeded, err
}

// Content is what the node has of a content now.
func (n *Node) Content(ctx context.Context, id shoal.ContentID) (napi.Content, error) {
	var content napi.Content
	err := n.Get(ctx, "/v1/contents/"+id.String(), &content)
	return content, err
}
