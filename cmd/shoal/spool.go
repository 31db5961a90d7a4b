package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/shoal-cdn/shoal/node/spool"
)

func newSpool(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "spool",
		Short: "Upload apart from what produces the data",
		Long: `A spool is a folder of uploads. 'shoal seed --spool DIR PATH' leaves one there and
returns at once; 'shoal spool run DIR' sends them, through kills, power cuts and
changes of network. 'shoal spool watch' spools what is put into a folder.`,
		Example: `  shoal seed ./image.iso --spool /var/spool/shoal --tracker http://tracker:7070 --to all
  shoal spool run /var/spool/shoal
  shoal spool watch /srv/outgoing --spool /var/spool/shoal --tracker http://tracker:7070`,
		Args: group,
		RunE: help,
	}
	cmd.AddCommand(newSpoolRun(a), newSpoolList(a), newSpoolCancel(a), newSpoolWatch(a))
	return cmd
}

// seedSpool leaves an upload in a spool.
func seedSpool(ctx context.Context, a *app, n spool.New, o uploadOptions) error {
	const op = "seed"
	s, err := spool.Open(o.spool)
	if err != nil {
		return failed(op, o.spool, err)
	}
	defer s.Close()
	it, err := s.Add(ctx, n)
	if err != nil {
		return failed(op, n.Path, err)
	}
	if o.json {
		return printJSON(a.stdout, it)
	}
	fmt.Fprintf(a.stderr, "%s (%s, %s); 'shoal spool run %s' sends it\n", printable(it.Name), bytesText(it.Size), it.Data, o.spool)
	_, err = fmt.Fprintln(a.stdout, it.Task)
	return err
}

func newSpoolList(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list DIR",
		Short: "List a spool's uploads, the oldest first",
		Args:  exactly("DIR"),
		RunE: func(_ *cobra.Command, args []string) error {
			return listSpool(a, args[0], asJSON)
		},
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

func listSpool(a *app, dir string, asJSON bool) error {
	const op = "list spool"
	s, err := spool.Open(dir)
	if err != nil {
		return failed(op, dir, err)
	}
	defer s.Close()
	items, damaged, err := s.List()
	if err != nil {
		return failed(op, dir, err)
	}
	for _, d := range damaged {
		fmt.Fprintf(a.stderr, "warning: %s\n", oneLine(d.Error()))
	}
	if asJSON {
		return listJSON(a.stdout, items)
	}
	t := newTable(a.stdout, "TASK", "NAME", "STATE", "SENT", "SIZE", "ADDED", "WHY")
	for _, it := range items {
		t.row(it.Task, it.Name, string(it.State), percentText(it.Sent, it.Size), bytesText(it.Size), ago(time.Now(), it.Added), oneLine(it.Error))
	}
	return t.flush()
}

func newSpoolCancel(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "cancel DIR TASK",
		Short: "Give an upload up, and have servers delete what they have of it",
		Args:  exactly("DIR", "TASK"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return cancelSpool(cmd.Context(), a, args[0], args[1])
		},
	}
}

// cancelPatience bounds the wait for servers; what they keep they delete later.
const cancelPatience = 30 * time.Second

func cancelSpool(ctx context.Context, a *app, dir, task string) error {
	const op = "cancel upload"
	s, err := spool.Open(dir)
	if err != nil {
		return failed(op, dir, err)
	}
	defer s.Close()
	ctx, stop := context.WithTimeout(ctx, cancelPatience)
	defer stop()
	return failed(op, task, s.Cancel(ctx, task, func(ctx context.Context, it spool.Item) error {
		candidates, err := candidatesOf(a, it.Target)
		if err == nil {
			err = spool.Forget(ctx, it, candidates)
		}
		if err != nil { // the upload is given up all the same
			fmt.Fprintf(a.stderr, "warning: a server keeps what it has for a while: %s\n", oneLine(err.Error()))
		}
		return nil
	}))
}
