package main

import (
	"context"
	"crypto/tls"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/internal/nodecert"
	"github.com/shoal-cdn/shoal/netprobe"
)

type probeOptions struct {
	trackers []string
	here     shoal.Locality
	where    string
	places   placesFlags
	bytes    shoal.Size
	time     time.Duration
	asJSON   bool
}

func newProbe(a *app) *cobra.Command {
	var o probeOptions
	cmd := &cobra.Command{
		Use:   "probe [ADDR…]",
		Short: "Measure the paths to gateways and say which transport to take",
		Long: `Measure the paths from here to gateways: round trip time, loss and speed in both
directions, over TCP and QUIC. Each speed is that of one connection.

ADDR is http://HOST:PORT, https://HOST:PORT or HOST:PORT, which means https. Without
an ADDR, the gateways of all nodes that the tracker knows are measured, and their
certificates checked; those of an ADDR are not, since nothing secret is sent.

An upload or a download takes about 3 seconds or 16 MiB, all of them together --time
and --bytes. Where that is too little, the last nodes get round trips only.

With --where nothing is measured: it explains which carrier, region and site an
address belongs to, as the tracker sees it, or by the files of --places and --geoip.`,
		Example: `  shoal probe 198.18.0.1:7074
  shoal probe --tracker http://tracker:7070 --carrier AS1 --region north
  shoal probe --where 198.18.0.1 --places places.csv`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("where") {
				return probeWhere(cmd.Context(), a, o, args)
			}
			return probe(cmd.Context(), a, o, args)
		},
	}
	trackerFlag(cmd, &o.trackers)
	fs := cmd.Flags()
	fs.StringVar(&o.here.Carrier, "carrier", "", "network operator that this machine's link belongs to")
	fs.StringVar(&o.here.Region, "region", "", "region it is in")
	fs.StringVar(&o.here.Site, "site", "", "data centre or LAN it is in")
	fs.StringVar(&o.where, "where", "", "explain where the IP `ADDR` is")
	o.places.add(cmd)
	fs.Var(&o.bytes, "bytes", "`SIZE` of all transfers together (default unlimited)")
	fs.DurationVar(&o.time, "time", 0, "`DURATION` of all transfers together (default unlimited)")
	jsonFlag(cmd, &o.asJSON)
	return cmd
}

func probe(ctx context.Context, a *app, o probeOptions, addrs []string) error {
	const op = "probe"
	if o.time < 0 {
		return usageError(op, o.time.String(), "--time wants a DURATION, such as 30s", errors.New("negative"))
	}
	var subjects []subject
	var err error
	if len(addrs) > 0 {
		subjects, err = subjectsOf(op, addrs)
	} else {
		subjects, err = subjectsFrom(ctx, op, o.trackers)
	}
	if err != nil {
		return err
	}
	var targets []netprobe.Target
	for _, s := range subjects {
		targets = append(targets, s.targets...)
	}
	plan := netprobe.Plan(targets, netprobe.Budget{Down: true, Up: true, Bytes: int64(o.bytes), Time: o.time})
	d := newDisplay(ctx, a.stderr)
	defer d.close()
	progress := newProbeProgress(d, subjects)
	results := netprobe.NewProber(netprobe.Config{TLS: probeTLS, OnStep: progress.begin}).Run(ctx, plan)
	progress.end()
	d.close()

	report := newProbeReport(o.here, subjects, results)
	if o.asJSON {
		err = listJSON(a.stdout, report)
	} else {
		err = probeTable(a.stdout, report)
	}
	switch {
	case err != nil:
		return err
	case ctx.Err() != nil:
		return failed(op, "", context.Cause(ctx))
	case !anyAnswer(results):
		return &opError{op: op, cause: errors.New("no gateway answers"),
			hint: "WHY in the table says what happened; a node serves a gateway with --gateway or --gateway-tls"}
	}
	return nil
}

// probeTLS knows a node by its key. Who answers at an address that the user
// gave is not known: what is measured is the path.
func probeTLS(t netprobe.Target) (*tls.Config, error) {
	if t.Node != "" {
		return nodecert.PinNode(t.Node), nil
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true}, nil
}

func anyAnswer(results []netprobe.Result) bool {
	for _, r := range results {
		if r.Err == nil {
			return true
		}
	}
	return false
}

// subject is a node, or an address of whom is not known whose it is.
type subject struct {
	name    string // "" for an address
	place   shoal.Locality
	targets []netprobe.Target
}

// subjectsOf are the addresses on the command line, each once.
func subjectsOf(op string, addrs []string) ([]subject, error) {
	var subjects []subject
	known := map[netprobe.Target]bool{}
	for _, addr := range addrs {
		t, err := netprobe.ParseTarget(addr)
		if err != nil {
			return nil, usageError(op, addr, "ADDR wants http://HOST:PORT, https://HOST:PORT or HOST:PORT of a gateway", errors.New("is no gateway's address"))
		}
		if !known[t] {
			known[t] = true
			subjects = append(subjects, subject{targets: []netprobe.Target{t}})
		}
	}
	return subjects, nil
}

// subjectsFrom are the live nodes with a gateway that a tracker knows.
func subjectsFrom(ctx context.Context, op string, trackers []string) ([]subject, error) {
	c, err := trackerClient(op, trackers)
	if err != nil {
		return nil, err
	}
	nodes, err := c.Nodes(ctx)
	if err != nil {
		return nil, failed(op, "", err)
	}
	var subjects []subject
	for _, n := range nodes {
		s := subject{name: n.Name, place: n.Locality}
		for _, url := range n.Gateway {
			// What doesn't parse is nothing that could be measured.
			if t, err := netprobe.ParseTarget(url); err == nil {
				t.Node = n.ID
				s.targets = append(s.targets, t)
			}
		}
		if n.Alive && len(s.targets) > 0 {
			subjects = append(subjects, s)
		}
	}
	if len(subjects) == 0 {
		return nil, &opError{op: op, cause: errors.New("no live node has a gateway"),
			hint: "a node serves one with --gateway or --gateway-tls; to measure an address, give it as ADDR"}
	}
	return subjects, nil
}
