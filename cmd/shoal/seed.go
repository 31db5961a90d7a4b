package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/shoal-cdn/shoal"
	nodeapi "github.com/shoal-cdn/shoal/node/api"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

type seedOptions struct {
	node     string
	as       string
	webSeeds []string
	json     bool
	upload   uploadOptions
}

func newSeed(a *app) *cobra.Command {
	var o seedOptions
	cmd := &cobra.Command{
		Use:   "seed PATH|URL",
		Short: "Upload a file or folder, or have a node serve it or what is at a URL",
		Long: `Upload a file or folder to an ingest server (--tracker, --to-server), or have a node
hash, register and serve it in place, or the file that is at an http or https URL (--node).

With --tracker no node is needed here. The speeds to the ingest servers that the
tracker names are measured over TCP and QUIC while the file is hashed; then it goes in
parallel to the fastest. Whatever breaks on the way, the upload goes on when it can; after this
command was stopped, the same command goes on. With --to or --task the content is
distributed from the first pieces on. With --spool the upload is left to 'shoal spool run'.

With --node PATH is read by the node, so the node must run on this machine or see the same
path. The content stays valid while the file does not change; seed it again when
it has.

A URL is fetched by the node, once, into its data folder; an interrupted seed goes
on where it stopped when it is given again. From then on the URL is the content's
web seed: nodes fall back on it where nobody else can serve them. --web-seed adds
such URLs, also to a content that was seeded before, and of a folder the URL of
what holds it, ending with a slash. A web seed has to serve parts of files (Range),
and everybody who reaches the tracker can read its URL.

The content's ID is printed to stdout.`,
		Example: `  shoal seed ./image.iso --node http://127.0.0.1:7072
  shoal seed ./image.iso --tracker http://tracker:7070 --to all --wait
  shoal seed ./image.iso --web-seed https://files.example.org/image.iso
  shoal seed https://files.example.org/image.iso`,
		Args: exactly("PATH|URL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.upload.wanted(cmd) {
				return uploadInstead(cmd, a, args[0], o)
			}
			return seed(cmd.Context(), a, args[0], o)
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&o.node, "node", defaultNode, "`URL` of the node")
	// Not a list separated by commas, which URLs may have in them.
	fs.StringArrayVar(&o.webSeeds, "web-seed", nil, "`URL` of a server that has the content too; may be repeated")
	fs.StringVar(&o.as, "as", "", "`NAME` of what is fetched from a URL (default the last part of the URL's path)")
	jsonFlag(cmd, &o.json)
	o.upload.add(cmd)
	return cmd
}

// uploadInstead uploads what arg names, which must be on disk here.
func uploadInstead(cmd *cobra.Command, a *app, arg string, o seedOptions) error {
	const op = "seed"
	if isURL(arg) || len(o.webSeeds) > 0 {
		return usageError(op, arg, "give --node for what a node fetches, or is to fall back on", errors.New("a URL is not uploaded"))
	}
	o.upload.json = o.json
	return seedUpload(cmd.Context(), a, arg, o.upload)
}

func seed(ctx context.Context, a *app, arg string, o seedOptions) error {
	const op = "seed"
	c, err := nodeClient(op, o.node)
	if err != nil {
		return err
	}
	for _, u := range o.webSeeds {
		if err := shoal.CheckWebSeed(u); err != nil {
			return usageError(op, u, "--web-seed wants a URL like https://HOST/PATH", err)
		}
	}
	req, name, err := seedRequest(op, arg, o)
	if err != nil {
		return err
	}
	d := newDisplay(ctx, a.stderr)
	defer d.close()
	s, err := c.SeedFrom(ctx, req, func(ev nodeapi.SeedEvent) { d.show([]gauge{seedGauge(name, req, ev)}) })
	if err != nil {
		return &opError{op: op, input: req.URL + req.Path, cause: err, hint: seedHint(ctx, req, err)}
	}
	d.show([]gauge{{name: name, done: s.Size, total: s.Size, note: "seeded", ended: true}})
	d.close()
	if s.Warning != "" {
		fmt.Fprintf(a.stderr, "warning: %s\n", oneLine(s.Warning))
	}
	if o.json {
		return printJSON(a.stdout, s)
	}
	fmt.Fprintf(a.stderr, "%d pieces of %s; distribute it with 'shoal task create %s --nodes all --wait'\n",
		s.Pieces, bytesText(int64(s.PieceLength)), s.Content.Short())
	_, err = fmt.Fprintln(a.stdout, s.Content)
	return err
}

// seedRequest is what arg asks of the node, and what to call it meanwhile.
func seedRequest(op, arg string, o seedOptions) (req nodeapi.Seed, name string, err error) {
	req.WebSeeds = o.webSeeds
	if isURL(arg) {
		if err := shoal.CheckWebSeed(arg); err != nil {
			return req, "", usageError(op, arg, "a URL is like https://HOST/PATH; a path that looks like one is given as ./PATH", err)
		}
		req.URL, req.Name = arg, o.as
		name, _, _ = strings.Cut(arg, "?")
		return req, cmp.Or(o.as, path.Base(name)), nil
	}
	if o.as != "" {
		return req, "", usageError(op, o.as, "what is on disk is seeded under its own name", errors.New("--as is for URLs"))
	}
	if req.Path, err = filepath.Abs(arg); err != nil {
		return req, "", failed(op, arg, err)
	}
	return req, filepath.Base(req.Path), nil
}

func isURL(arg string) bool {
	scheme, _, ok := strings.Cut(arg, "://")
	return ok && (strings.EqualFold(scheme, "http") || strings.EqualFold(scheme, "https"))
}

func seedGauge(name string, req nodeapi.Seed, ev nodeapi.SeedEvent) gauge {
	g := gauge{name: name, done: ev.Hashed, total: ev.Total, note: "hashing"}
	switch {
	case ev.Note != "":
		g.note = ev.Note
	case req.URL != "":
		g.note = "fetching"
	}
	return g
}

func seedHint(ctx context.Context, req nodeapi.Seed, err error) string {
	_, told := errors.AsType[*tapi.Problem](err) // by the node
	switch {
	case req.URL == "" && errors.Is(err, shoal.ErrNotFound):
		return "check the path, which the node reads on its own machine, and that --node is a node"
	case req.URL == "":
		return ""
	case errors.Is(err, shoal.ErrNotFound):
		return "check the URL, and that --node is a node"
	case interrupted(ctx), told && errors.Is(err, shoal.ErrUnavailable):
		return "the same command goes on with what has arrived"
	}
	return ""
}
