package main

import (
	"errors"
	"fmt"
	"io"
	"maps"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const readArgs = "read the command line"

// app is what all commands share: the process as far as they see it.
type app struct {
	environ []string // "NAME=value"
	stdout  io.Writer
	stderr  io.Writer
}

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "shoal",
		Short: "Distribute large files to edge nodes",
		Long: `shoal distributes large files to edge nodes: pieces travel from node to node,
so that the origin sends about one copy however many nodes there are.

Every flag is also an environment variable (--http is SHOAL_HTTP) and a key of
the YAML file that --config names. A flag wins over the environment, that over
the file.`,
		Example: `  shoal demo
  shoal tracker --data /var/lib/shoal/tracker
  shoal node --tracker http://tracker:7070 --data /var/lib/shoal/node
  shoal seed ./image.iso
  shoal task create CONTENT --nodes all --wait`,
		Args:          group,
		RunE:          help,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return configure(cmd.Flags(), flagNames(cmd.Root()), a.environ)
		},
	}
	root.PersistentFlags().String("config", "", "YAML `FILE` whose keys are flag names")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		if e, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
			return usageError("read --"+e.GetFlag().Name, e.GetValue(), seeHelp(cmd), e.Unwrap())
		}
		return usageError(readArgs, "", seeHelp(cmd), err)
	})
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(
		newDemo(a), newTracker(a), newNode(a), newSeed(a), newSpool(a), newGet(a),
		newTask(a), newNodes(a), newContents(a), newProbe(a), newSimulate(a), newVersion(a),
	)
	return root
}

// help is what a command that only groups others does.
func help(cmd *cobra.Command, _ []string) error { return cmd.Help() }

// group refuses arguments of a command that only groups others: they are
// misspelt commands.
func group(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := seeHelp(cmd)
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = fmt.Sprintf("did you mean '%s %s'?", cmd.CommandPath(), near[0])
	}
	return usageError(readArgs, args[0], hint, fmt.Errorf("%s has no such command", cmd.CommandPath()))
}

// exactly wants the named arguments, no more and no fewer.
func exactly(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return usageError(readArgs, "", seeHelp(cmd), fmt.Errorf("%s is missing", names[len(args)]))
		case len(args) > len(names):
			return usageError(readArgs, args[len(names)], seeHelp(cmd), errors.New("unexpected argument"))
		}
		return nil
	}
}

// flagNames are the names of the flags of cmd and all commands below it.
func flagNames(cmd *cobra.Command) map[string]bool {
	names := map[string]bool{}
	add := func(f *pflag.Flag) { names[f.Name] = true }
	cmd.PersistentFlags().VisitAll(add)
	cmd.Flags().VisitAll(add)
	for _, sub := range cmd.Commands() {
		maps.Copy(names, flagNames(sub))
	}
	delete(names, helpKey)
	return names
}

func seeHelp(cmd *cobra.Command) string {
	return fmt.Sprintf("see '%s --help'", cmd.CommandPath())
}
