package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/shoal-cdn/shoal"
)

const demoOp = "demo"

// Defaults of the demo: about ten seconds of transfer, enough to watch it and
// to crash a node on the way, however fast the machine is.
const (
	demoNodes = 5
	demoSize  = shoal.Size(256 << 20)
	demoRate  = shoal.Rate(200e6 / 8)
	maxNodes  = 200 // each is a process
)

type demoOptions struct {
	nodes int
	size  shoal.Size
	file  string
	rate  shoal.Rate
	dir   string
	exit  bool
	json  bool
}

func newDemo(a *app) *cobra.Command {
	o := demoOptions{size: demoSize, rate: demoRate}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run a tracker, an origin and some nodes here and distribute a file",
		Long: `Run a tracker, an origin and some nodes as processes of their own on the loopback
interface, each with a directory of its own; seed a file, distribute it, kill one
node with SIGKILL on the way and restart it, and compare the SHA-256 of every copy.

Loopback has no limits, so each node is started with --up and --down RATE to
behave like a machine behind a link; --rate 0 lifts them.`,
		Example: `  shoal demo
  shoal demo --nodes 16 --size 1GiB --rate 1Gbit --exit`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(cmd.Flags().Changed("size")); err != nil {
				return err
			}
			return runDemo(cmd.Context(), a, o)
		},
	}
	fs := cmd.Flags()
	fs.IntVar(&o.nodes, "nodes", demoNodes, "`N` nodes besides the origin")
	fs.Var(&o.size, "size", "size of the random file to distribute")
	fs.StringVar(&o.file, "file", "", "distribute the file or folder at `PATH` instead")
	fs.Var(&o.rate, "rate", "uplink and downlink of every node; 0: unlimited")
	fs.StringVar(&o.dir, "dir", "", "work in the new directory `DIR` and keep it (default a temporary one, removed at the end)")
	fs.BoolVar(&o.exit, "exit", false, "end after the report instead of leaving everything running until Ctrl-C")
	jsonFlag(cmd, &o.json)
	return cmd
}

func (o *demoOptions) check(sizeGiven bool) error {
	switch {
	case o.nodes < 1 || o.nodes > maxNodes:
		return usageError(demoOp, fmt.Sprint(o.nodes), fmt.Sprintf("--nodes wants 1 to %d", maxNodes), errors.New("not a number of nodes"))
	case o.file != "" && sizeGiven:
		return usageError(demoOp, o.file, "--file brings its own size; leave --size away", errors.New("--file and --size exclude each other"))
	}
	return nil
}

// demoDir makes the directory to work in. The function it returns removes a
// temporary one, unless what is in it may explain a failure.
func demoDir(dir string) (string, func(ok bool, say func(string, ...any)), error) {
	keep := dir != ""
	var err error
	if keep {
		if dir, err = filepath.Abs(dir); err == nil {
			err = os.Mkdir(dir, 0o755)
		}
	} else {
		dir, err = os.MkdirTemp("", "shoal-demo-")
	}
	if errors.Is(err, os.ErrExist) {
		return "", nil, usageError(demoOp, dir, "--dir wants a directory that does not exist yet", err)
	}
	if err != nil {
		return "", nil, failed(demoOp, dir, err)
	}
	return dir, func(ok bool, say func(string, ...any)) {
		switch {
		case keep || !ok:
			say("kept %s: data of all processes, and their logs in logs/", dir)
		default:
			if err := os.RemoveAll(dir); err != nil {
				say("could not remove %s: %v", dir, err)
			}
		}
	}, nil
}
