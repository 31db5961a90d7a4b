package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node"
)

type getOptions struct {
	trackers []string
	output   string
	listen   string
	link     linkFlags
	json     bool
}

func newGet(a *app) *cobra.Command {
	var o getOptions
	cmd := &cobra.Command{
		Use:   "get CONTENT -o PATH",
		Short: "Join the swarm, fetch and verify a content, leave",
		Args:  exactly("CONTENT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return get(cmd.Context(), a, args[0], o)
		},
	}
	trackerFlag(cmd, &o.trackers)
	jsonFlag(cmd, &o.json)
	fs := cmd.Flags()
	fs.StringVarP(&o.output, "output", "o", "", "`PATH` of the file or folder to make (required)")
	fs.StringVar(&o.listen, "listen", "0.0.0.0:0", "`HOST:PORT` for other nodes, TCP and UDP")
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
	c, err := trackerClient(op, o.trackers)
	if err != nil {
		return err
	}
	id, err := findContent(ctx, op, arg, c)
	if err != nil {
		return err
	}
	d := newDisplay(ctx, a.stderr)
	defer d.close()
	r, err := node.Get(ctx, node.GetConfig{
		Trackers: o.trackers, Content: id, Output: o.output, Listen: o.listen,
		Up: o.link.up, Down: o.link.down, Locality: o.link.place,
		Log:      newLogger(a, slog.LevelError), // what matters to the user shows in the display
		Progress: func(p node.Progress) { d.show([]gauge{getGauge(id, p)}) },
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
	}
	return ""
}

func getGauge(id shoal.ContentID, p node.Progress) gauge {
	g := gauge{name: cmp.Or(p.Name, id.Short()), done: p.Done, total: p.Total, note: "waiting for somebody who has it"}
	if p.Name == "" {
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
