package main

import (
	"context"
	"errors"
	"log/slog"
	"net"

	"github.com/spf13/cobra"

	"github.com/shoal-cdn/shoal/internal/version"
	"github.com/shoal-cdn/shoal/tracker"
)

type trackerOptions struct {
	listen, data string
	leases       bool
	places       placesFlags
	level        slog.Level
}

func newTracker(a *app) *cobra.Command {
	var o trackerOptions
	cmd := &cobra.Command{
		Use:   "tracker --data DIR",
		Short: "Run the tracker: it knows who has what and steers the tasks",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runTracker(cmd.Context(), newLogger(a, o.level), o)
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&o.listen, "listen", defaultTrackerListen, "`HOST:PORT` of the HTTP API")
	fs.StringVar(&o.data, "data", "", "`DIR` of the database (required)")
	fs.BoolVar(&o.leases, "leases", true, "lease upstreams piece by piece, so that origins send about one copy; false lets every node read all there, to compare")
	o.places.add(cmd)
	logFlag(cmd, &o.level)
	return cmd
}

func runTracker(ctx context.Context, log *slog.Logger, o trackerOptions) (err error) {
	const op = "run the tracker"
	if err := errors.Join(requireDir(op, o.data), requireHostPort(op, "listen", o.listen)); err != nil {
		return err
	}
	places, err := o.places.open(op, log)
	if err != nil {
		return err
	}
	defer o.places.watch(ctx, places)()
	t, err := tracker.New(tracker.Config{Data: o.data, Log: log, NoLeases: !o.leases, Version: version.Get().Version, Where: places})
	if err != nil {
		return failed(op, o.data, err)
	}
	defer func() { err = errors.Join(err, failed(op, o.data, t.Close())) }()
	ln, err := net.Listen("tcp", o.listen)
	if err != nil {
		return failed(op, o.listen, err)
	}
	log.Info("shoal tracker listening on http://"+ln.Addr().String(), "data", o.data)
	if err := t.Serve(ctx, ln); err != nil {
		return failed(op, o.listen, err)
	}
	log.Info("shoal tracker stopped")
	return nil
}
