package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/shoal-cdn/shoal/internal/sim"
)

const simulateOp = "simulate"

func newSimulate(a *app) *cobra.Command {
	var (
		seed   uint64
		asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "simulate TOPOLOGY",
		Short: "Predict how a content spreads over a network",
		Long: `Predict how a content spreads over a network that a YAML file describes: when the
nodes complete, what the origin sends, what crosses between carriers. The nodes decide
as real ones do, in virtual time; nothing is sent. The same file and seed give
the same prediction.

docs/simulator.md describes the file and what the prediction leaves out, first of
all CPU time; docs/topologies has examples.`,
		Example: `  shoal simulate docs/topologies/lan16.yaml
  shoal simulate rollout.yaml --seed 7 --json`,
		Args: exactly("TOPOLOGY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := sim.Load(args[0])
			if err != nil {
				return usageError(simulateOp, args[0], "docs/simulator.md lists the keys of a topology", err)
			}
			if cmd.Flags().Changed("seed") {
				t.Seed = seed
			}
			r, err := simulate(cmd.Context(), a, t)
			if err != nil {
				return failed(simulateOp, args[0], err)
			}
			report := newSimulateReport(t, r)
			if asJSON {
				err = printJSON(a.stdout, report)
			} else {
				err = report.print(a)
			}
			if err == nil && r.Completed < r.Wanted {
				err = failed(simulateOp, args[0], fmt.Errorf("%d of %d nodes can never complete", r.Wanted-r.Completed, r.Wanted))
			}
			return err
		},
	}
	cmd.Flags().Uint64Var(&seed, "seed", 0, "seed of all chance (default the file's)")
	jsonFlag(cmd, &asJSON)
	return cmd
}

// simulateShow is how often progress is shown, and how long a simulation runs
// without any.
const simulateShow = 500 * time.Millisecond

// simulate runs a simulation and says on stderr what it cost: on stdout the
// same prediction looks the same.
func simulate(ctx context.Context, a *app, t *sim.Topology) (*sim.Result, error) {
	show := newDisplay(ctx, a.stderr)
	defer show.close()
	began := time.Now()
	shown := began
	s := sim.New(t)
	s.OnProgress(func(p sim.Progress) {
		if now := time.Now(); now.Sub(shown) >= simulateShow {
			shown = now
			pieces := int64(t.PieceLength)
			show.show([]gauge{{name: simulateOp, done: p.Pieces * pieces, total: p.Total * pieces}})
		}
	})
	r, err := s.Run(ctx)
	if err != nil {
		return nil, err
	}
	took := time.Since(began)
	show.say("simulated %s in %s: %d events, %.0f a second",
		secondsText(r.Ended.Seconds()), secondsText(took.Seconds()), r.Events, float64(r.Events)/took.Seconds())
	return r, nil
}
