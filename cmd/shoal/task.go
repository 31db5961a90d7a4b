package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/shoal-cdn/shoal/tracker/api"
)

// taskOptions are the flags that all task commands have.
type taskOptions struct {
	trackers []string
	json     bool
}

func newTask(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "task",
		Short: "Create, follow, change and cancel distributions",
		Args:  group,
		RunE:  help,
	}
	cmd.AddCommand(newTaskCreate(a), newTaskList(a), newTaskShow(a), newTaskWatch(a), newTaskSet(a), newTaskCancel(a))
	return cmd
}

func (o *taskOptions) add(cmd *cobra.Command) {
	trackerFlag(cmd, &o.trackers)
	jsonFlag(cmd, &o.json)
}

func newTaskList(a *app) *cobra.Command {
	var (
		o   taskOptions
		all bool
	)
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the newest tasks",
		Long:  fmt.Sprintf(`List the tasks, newest first: the newest %d unless --all is given.`, listedTasks),
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			const op = "list tasks"
			c, err := trackerClient(op, o.trackers)
			if err != nil {
				return err
			}
			tasks, more, err := listTasks(cmd.Context(), c, all)
			if err != nil {
				return failed(op, "", err)
			}
			if more {
				fmt.Fprintf(a.stderr, "these are the newest %d tasks; --all lists all\n", len(tasks))
			}
			if o.json {
				return listJSON(a.stdout, tasks)
			}
			return tasksTable(a.stdout, tasks)
		},
	}
	o.add(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "list all tasks")
	return cmd
}

// listedTasks is how many tasks are listed unless all are asked for.
const listedTasks = 100

// listTasks returns the newest tasks, or all, and whether there are more.
func listTasks(ctx context.Context, c *api.Client, all bool) (tasks []api.Task, more bool, err error) {
	if !all {
		tasks, err = c.Tasks(ctx, "", listedTasks+1)
		if more = len(tasks) > listedTasks; more {
			tasks = tasks[:listedTasks]
		}
		return tasks, more, err
	}
	for after := ""; ; {
		page, err := c.Tasks(ctx, after, api.MaxPage)
		tasks = append(tasks, page...)
		if err != nil || len(page) < api.MaxPage || page[len(page)-1].ID == after { // the last: a tracker that knows no pages
			return tasks, false, err
		}
		after = page[len(page)-1].ID
	}
}

func newTaskShow(a *app) *cobra.Command {
	var (
		o   taskOptions
		why bool
	)
	cmd := &cobra.Command{
		Use:   "show TASK",
		Short: "Show a task and each node's part of it",
		Long: `Show a task and each node's part of it.

With --why a second table says where each node's seconds went: how long it
received at its full rate, and what held it back the rest of the time. With
--json that is always there.`,
		Args: exactly("TASK"),
		RunE: func(cmd *cobra.Command, args []string) error {
			const op = "show task"
			c, err := trackerClient(op, o.trackers)
			if err != nil {
				return err
			}
			t, err := c.Task(cmd.Context(), args[0])
			if err != nil {
				return failed(op, args[0], err)
			}
			if err := printTask(a, t, o.json); err != nil || o.json || !why {
				return err
			}
			fmt.Fprintln(a.stdout)
			return whyTable(a.stdout, t)
		},
	}
	o.add(cmd)
	cmd.Flags().BoolVar(&why, "why", false, "say where each node's seconds went")
	return cmd
}

func newTaskWatch(a *app) *cobra.Command {
	var o taskOptions
	cmd := &cobra.Command{
		Use:   "watch TASK",
		Short: "Follow a task until it ends; the exit code is 1 unless it succeeds",
		Args:  exactly("TASK"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := trackerClient("watch task", o.trackers)
			if err != nil {
				return err
			}
			return followTask(cmd.Context(), a, c, args[0], o.json)
		},
	}
	o.add(cmd)
	return cmd
}

func newTaskCancel(a *app) *cobra.Command {
	var o taskOptions
	cmd := &cobra.Command{
		Use:   "cancel TASK",
		Short: "Cancel a task; nodes that have finished keep their copy",
		Args:  exactly("TASK"),
		RunE: func(cmd *cobra.Command, args []string) error {
			const op = "cancel task"
			c, err := trackerClient(op, o.trackers)
			if err != nil {
				return err
			}
			t, err := c.CancelTask(cmd.Context(), args[0])
			if err != nil {
				return failed(op, args[0], err)
			}
			return printTask(a, t, o.json)
		},
	}
	o.add(cmd)
	return cmd
}

// printTask shows one task in full.
func printTask(a *app, t api.Task, asJSON bool) error {
	if asJSON {
		return printJSON(a.stdout, newTaskReport(t))
	}
	fmt.Fprint(a.stdout, taskText(t))
	return subTasksTable(a.stdout, t)
}
