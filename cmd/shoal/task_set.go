package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/shoal-cdn/shoal/tracker/api"
)

func newTaskSet(a *app) *cobra.Command {
	var (
		o        taskOptions
		priority api.Priority
	)
	cmd := &cobra.Command{
		Use:   "set TASK --priority N",
		Short: "Change a task's priority",
		Long: `Change a task's priority: nodes on which it waits begin it sooner or later.
What has begun goes on. A task that is over cannot be changed.`,
		Example: `  shoal task set 5k2n7wq3v6ta --priority 10
  shoal task set 5k2n7wq3v6ta --priority=-5`,
		Args: exactly("TASK"),
		RunE: func(cmd *cobra.Command, args []string) error {
			const op = "set task"
			if !cmd.Flags().Changed("priority") {
				return usageError(op, args[0], "--priority wants a number from -10 to 10", errors.New("--priority is missing"))
			}
			c, err := trackerClient(op, o.trackers)
			if err != nil {
				return err
			}
			t, err := c.ChangeTask(cmd.Context(), args[0], api.TaskChange{Priority: &priority})
			if err != nil {
				return failed(op, args[0], err)
			}
			if t.Counts[api.Pending] == 0 {
				fmt.Fprintln(a.stderr, "it waits on no node, and goes on as it is")
			}
			return printTask(a, t, o.json)
		},
	}
	o.add(cmd)
	priorityFlag(cmd, &priority, "required")
	return cmd
}
