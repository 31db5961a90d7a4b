package main

import (
	"context"
	"errors"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node"
)

type nodeOptions struct {
	trackers, announce []string
	data, listen, http string
	name               string
	dht                bool
	maxTasks           int
	link               linkFlags
	lan                lanFlags
	gateway            gatewayFlags
	web                webFlags
	ingest             ingestFlags
	level              slog.Level
}

func newNode(a *app) *cobra.Command {
	var o nodeOptions
	cmd := &cobra.Command{
		Use:   "node [--tracker URL] --data DIR",
		Short: "Run a node: it fetches what tasks tell it to and shares what it has",
		Long: `Run a node: it fetches what tasks tell it to and shares what it has.

What it fetched is at DIR/files, each content under its own name or under the
--dest of the task; a file appears there once all of it is verified.

Its gateway serves contents over HTTP, also while they arrive, and fetches those
that it is asked for and has not: GET /v1/contents/CONTENT/files/NAME.

Without a tracker it serves what it has to whoever asks on the local network, and
fetches what it is told to by its API or its gateway.`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runNode(cmd.Context(), newLogger(a, o.level), o)
		},
	}
	optionalTrackerFlag(cmd, &o.trackers)
	fs := cmd.Flags()
	fs.StringVar(&o.data, "data", "", "`DIR` of its files and its state (required)")
	fs.StringVar(&o.listen, "listen", defaultNodeListen, "`HOST:PORT` for other nodes, TCP and UDP")
	fs.StringSliceVar(&o.announce, "announce", nil, "`IP[:PORT]` at which others reach --listen besides, such as that of an address translation; may be repeated")
	fs.StringVar(&o.http, "http", defaultNodeHTTP, "`HOST:PORT` of its HTTP API")
	fs.StringVar(&o.name, "name", "", "its `NAME`, which tasks use (default the host's name)")
	fs.BoolVar(&o.dht, "dht", true, "find peers in a DHT among the nodes while no tracker answers")
	fs.IntVar(&o.maxTasks, "max-tasks", node.DefaultMaxTasks, "fetch `N` contents for tasks at a time; others wait, and begin in the order of their priority and age")
	o.lan.add(cmd)
	o.gateway.add(cmd)
	o.web.add(cmd)
	o.ingest.add(cmd)
	o.link.add(cmd)
	logFlag(cmd, &o.level)
	return cmd
}

func runNode(ctx context.Context, log *slog.Logger, o nodeOptions) error {
	const op = "run the node"
	if err := errors.Join(requireDir(op, o.data), requireHostPort(op, "listen", o.listen), requireHostPort(op, "http", o.http)); err != nil {
		return err
	}
	gateway, err := o.gateway.config(op)
	if err != nil {
		return err
	}
	if o.name == "" {
		host, err := os.Hostname()
		if err != nil {
			return &opError{op: op, cause: err, hint: "name it with --name"}
		}
		o.name = host
	}
	cfg := node.Config{
		Name: o.name, Data: o.data, Listen: o.listen, Announce: o.announce, HTTP: o.http, Gateway: gateway, Trackers: o.trackers, LANPort: o.lan.value(),
		Locality: o.link.place, Up: o.link.up, Down: o.link.down, DHT: o.dht, MaxTasks: o.maxTasks, Log: log,
	}
	if err := o.web.set(op, &cfg); err != nil {
		return err
	}
	if err := o.ingest.set(op, &cfg); err != nil {
		return err
	}
	n, err := node.New(ctx, cfg)
	if errors.Is(err, shoal.ErrInvalid) {
		return usageError(op, o.name, "see 'shoal node --help'", err)
	}
	if err != nil {
		return failed(op, o.name, err)
	}
	if err := n.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return failed(op, o.name, err)
	}
	return nil
}
