package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/shoal-cdn/shoal/tracker/api"
)

type taskCreateOptions struct {
	taskOptions
	nodes  []string
	dest   string
	limits api.Limits
	wait   bool

	priority api.Priority
}

func newTaskCreate(a *app) *cobra.Command {
	var o taskCreateOptions
	cmd := &cobra.Command{
		Use:   "create CONTENT --nodes all|NAME,...",
		Short: "Distribute a content to nodes",
		Long: `Distribute a content to nodes.

The task's ID is printed to stdout. With --wait the command follows the task to
its end: the exit code is 0 if it succeeded, 1 otherwise. Interrupting it then
leaves the task running.

A node fetches a few contents at a time ('shoal node --max-tasks'); tasks that have to wait
there begin in the order of their priority, of equals the older one first. What has
begun goes on, whatever comes later. 'shoal task set' changes the priority of one that waits.`,
		Example: `  shoal task create 3f2a9c01 --nodes all --wait
  shoal task create 3f2a9c01 --nodes edge-1,edge-2 --dest images/base.img
  shoal task create 3f2a9c01 --nodes all --priority 5
  shoal task create 3f2a9c01 --nodes all --egress-copies 2 --carrier-copies AS64500=1 --carrier-rate AS64500=50Mbit`,
		Args: exactly("CONTENT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return createTask(cmd.Context(), a, args[0], o)
		},
	}
	o.add(cmd)
	fs := cmd.Flags()
	fs.StringSliceVar(&o.nodes, "nodes", nil, "`NAMES` of the nodes, separated by commas, or all (required)")
	fs.StringVar(&o.dest, "dest", "", "`PATH` below the nodes' files (default the content's name)")
	priorityFlag(cmd, &o.priority, "default 0")
	limitFlags(cmd, &o.limits)
	fs.BoolVar(&o.wait, "wait", false, "follow the task to its end")
	return cmd
}

func createTask(ctx context.Context, a *app, content string, o taskCreateOptions) error {
	const op = "create task"
	nodes, err := nodeNames(o.nodes)
	if err != nil {
		return err
	}
	if err := o.limits.Validate(); err != nil {
		return usageError(op, content, "", err)
	}
	c, err := trackerClient(op, o.trackers)
	if err != nil {
		return err
	}
	id, err := findContent(ctx, op, content, c)
	if err != nil {
		return err
	}
	t, err := c.CreateTask(ctx, api.NewTask{Content: id, Nodes: nodes, Dest: o.dest, Limits: o.limits, Priority: o.priority})
	if err != nil {
		return failed(op, content, err)
	}
	switch {
	case o.wait:
		return followTask(ctx, a, c, t.ID, o.json)
	case o.json:
		return printJSON(a.stdout, newTaskReport(t))
	}
	fmt.Fprintf(a.stderr, "%s to %s; follow it with 'shoal task watch %s'\n",
		printable(t.Name), plural(len(t.Nodes), "node"), t.ID)
	_, err = fmt.Fprintln(a.stdout, t.ID)
	return err
}

// priorityFlag says which task goes first; unless is what holds without the flag.
func priorityFlag(cmd *cobra.Command, p *api.Priority, unless string) {
	cmd.Flags().Var(p, "priority", "`N` from -10 to 10: of the tasks that wait on a node the highest begins first ("+unless+")")
}

// nodeNames checks what --nodes was given.
func nodeNames(given []string) ([]string, error) {
	const hint = "--nodes all, or names separated by commas; 'shoal nodes' lists them"
	var names []string
	for _, n := range given {
		n = strings.TrimSpace(n)
		if n == "" {
			return nil, usageError("create task", strings.Join(given, ","), hint, errors.New("a node's name is empty"))
		}
		names = append(names, n)
	}
	if len(names) == 0 {
		return nil, usageError("create task", "", hint, errors.New("--nodes is missing"))
	}
	return names, nil
}
