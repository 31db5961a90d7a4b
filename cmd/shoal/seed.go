package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/shoal-cdn/shoal"
)

func newSeed(a *app) *cobra.Command {
	var (
		url    string
		asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "seed PATH",
		Short: "Have a node hash, register and serve a file or folder in place",
		Long: `Have a node hash, register and serve a file or folder in place. PATH is read by
the node, so the node must run on this machine or see the same path. The content
stays valid while the file does not change; seed it again when it has.

The content's ID is printed to stdout.`,
		Example: "  shoal seed ./image.iso --node http://127.0.0.1:7072",
		Args:    exactly("PATH"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return seed(cmd.Context(), a, url, args[0], asJSON)
		},
	}
	cmd.Flags().StringVar(&url, "node", defaultNode, "`URL` of the node")
	jsonFlag(cmd, &asJSON)
	return cmd
}

func seed(ctx context.Context, a *app, url, path string, asJSON bool) error {
	const op = "seed"
	c, err := nodeClient(op, url)
	if err != nil {
		return err
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return failed(op, path, err)
	}
	d := newDisplay(ctx, a.stderr)
	defer d.close()
	name := filepath.Base(abs)
	s, err := c.Seed(ctx, abs, func(hashed, total int64) {
		d.show([]gauge{{name: name, done: hashed, total: total, note: "hashing"}})
	})
	if errors.Is(err, shoal.ErrNotFound) {
		return &opError{op: op, input: abs, cause: err, hint: "check the path, which the node reads on its own machine, and that --node is a node"}
	}
	if err != nil {
		return failed(op, abs, err)
	}
	d.show([]gauge{{name: name, done: s.Size, total: s.Size, note: "seeded", ended: true}})
	d.close()
	if asJSON {
		return printJSON(a.stdout, s)
	}
	fmt.Fprintf(a.stderr, "%d pieces of %s; distribute it with 'shoal task create %s --nodes all --wait'\n",
		s.Pieces, bytesText(int64(s.PieceLength)), s.Content.Short())
	_, err = fmt.Fprintln(a.stdout, s.Content)
	return err
}
