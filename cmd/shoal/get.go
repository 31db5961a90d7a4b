package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node"
)

type getOptions struct {
	trackers []string
	lan      lanFlags
	output   string
	listen   string
	link     linkFlags
	timeout  time.Duration
	json     bool
}

func newGet(a *app) *cobra.Command {
	var o getOptions
	cmd := &cobra.Command{
		Use:   "get CONTENT -o PATH",
		Short: "Join the swarm, fetch and verify a content, leave",
		Long: `Join the swarm, fetch and verify a content, leave.

Peers are those that the tracker names, and those on the local network: without
--tracker these alone, and CONTENT is the whole ID then.`,
		Args: exactly("CONTENT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return get(cmd.Context(), a, args[0], o)
		},
	}
	optionalTrackerFlag(cmd, &o.trackers)
	jsonFlag(cmd, &o.json)
	fs := cmd.Flags()
	fs.StringVarP(&o.output, "output", "o", "", "`PATH` of the file or folder to make (required)")
	fs.StringVar(&o.listen, "listen", "0.0.0.0:0", "`HOST:PORT` for other nodes, TCP and UDP")
	fs.DurationVar(&o.timeout, "timeout", 10*time.Minute, "give up after so long without anything coming; 0: never")
	o.lan.add(cmd)
	o.link.add(cmd)
	return cmd
}

func get(ctx context.Context, a *app, arg string, o getOptions) error {
	const op = "get"
	if o.output == "" {
		return usageError(op, "", "say where to put it, such as -o ./image.iso", errors.New("--output is missing"))
	}
	if err := requireHostPort(op, "listen", o.listen); err != nil {
		return err
	}
	if o.timeout < 0 {
		return usageError(op, o.timeout.String(), "--timeout wants a DURATION, such as 10m", errors.New("negative"))
	}
	id, err := o.content(ctx, op, arg)
	if err != nil {
		return err
	}
	d := newDisplay(ctx, a.stderr)
	defer d.close()
	r, err := node.Get(ctx, node.GetConfig{
		Trackers: o.trackers, LANPort: o.lan.value(), Content: id, Output: o.output, Listen: o.listen,
		Up: o.link.up, Down: o.link.down, Locality: o.link.place, Timeout: o.timeout,
		Log:      newLogger(a, slog.LevelError), // what matters to the user shows in the display
		Progress: func(p node.Progress) { d.show([]gauge{getGauge(id, p, len(o.trackers) > 0)}) },
	})
	d.close()
	if err != nil {
		return &opError{op: op, input: arg, cause: err, hint: getHint(ctx, err)}
	}
	if o.json {
		return printJSON(a.stdout, getReport{id, r})
	}
	fmt.Fprintf(a.stderr, "%s in %s: %s from the origin, %s from peers\n", bytesText(r.Size), secondsText(r.Seconds),
		bytesText(r.Bytes.Origin), bytesText(r.Bytes.Peers))
	_, err = fmt.Fprintln(a.stdout, o.output)
	return err
}

// content reads the argument. Without a tracker nobody could tell what some digits of
// an ID stand for.
func (o *getOptions) content(ctx context.Context, op, arg string) (shoal.ContentID, error) {
	if len(o.trackers) == 0 {
		if !o.lan.on {
			return shoal.ContentID{}, usageError(op, "", "give --tracker URL, or leave --lan on", errors.New("neither a tracker nor the LAN"))
		}
		id, err := shoal.ParseContentID(strings.ToLower(arg))
		if err != nil {
			return id, usageError(op, arg, "without --tracker, give all 64 digits of the content's ID", errors.New("is no content ID"))
		}
		return id, nil
	}
	c, err := trackerClient(op, o.trackers)
	if err != nil {
		return shoal.ContentID{}, err
	}
	return findContent(ctx, op, arg, c)
}

// getReport is what --json prints.
type getReport struct {
	Content shoal.ContentID `json:"content"`
	node.Result
}

func getHint(ctx context.Context, err error) string {
	switch {
	case interrupted(ctx):
		return "the same command goes on where this one stopped"
	case errors.Is(err, shoal.ErrConflict):
		return "choose another path with -o"
	case errors.Is(err, shoal.ErrUnavailable):
		return "the same command goes on where this one stopped; --timeout says how long to wait"
	}
	return ""
}

func getGauge(id shoal.ContentID, p node.Progress, tracker bool) gauge {
	g := gauge{name: cmp.Or(p.Name, id.Short()), done: p.Done, total: p.Total, note: "waiting for somebody who has it"}
	switch {
	case !tracker:
		g.note = "no tracker; asking the LAN"
	case p.Name == "":
		g.note = "asking the tracker what it is"
	}
	switch {
	case p.Name != "" && p.Done == p.Total:
		g.note, g.ended = "verified", true
	case p.Tracker != nil:
		g.note = "no tracker answers: " + oneLine(p.Tracker.Error())
	case p.Peers > 0:
		g.note = "fetching"
	}
	return g
}
