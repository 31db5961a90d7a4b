package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/spool"
	"github.com/shoal-cdn/shoal/node/upload"
)

type spoolRunOptions struct {
	once    bool
	timeout time.Duration
	level   slog.Level
}

func newSpoolRun(a *app) *cobra.Command {
	var o spoolRunOptions
	cmd := &cobra.Command{
		Use:   "run DIR",
		Short: "Send what is in a spool, and what comes into it",
		Long: `Send what is in a spool, the oldest first, and what comes into it. An upload that
cannot go on for now is tried again later; one that never can, because its file was
changed, stays in the list with the reason. One process at a time runs a spool.`,
		Args: exactly("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			const op = "run spool"
			s, err := spool.Open(args[0])
			if err != nil {
				return failed(op, args[0], err)
			}
			defer s.Close()
			return failed(op, args[0], runSpool(cmd.Context(), a, s, o))
		},
	}
	fs := cmd.Flags()
	fs.BoolVar(&o.once, "once", false, "end when nothing is left to send")
	fs.DurationVar(&o.timeout, "timeout", 10*time.Minute, "turn to the next upload after so long without progress; 0: never")
	logFlag(cmd, &o.level)
	return cmd
}

// runSpool sends until ctx ends, which is no error.
func runSpool(ctx context.Context, a *app, s *spool.Spool, o spoolRunOptions) error {
	log := newLogger(a, o.level)
	d := newDisplay(ctx, a.stderr)
	defer d.close()
	failedSome := errors.New("not all could be sent: see 'shoal spool list'")
	some := false
	err := s.Run(ctx, spool.Sending{
		Candidates: func(ctx context.Context, it spool.Item) ([]upload.Candidate, error) {
			find, err := candidatesOf(a, it.Target)
			if err != nil {
				return nil, err
			}
			return find(ctx, it)
		},
		Timeout:  o.timeout,
		Log:      log.With("part", "upload"),
		Progress: func(_ spool.Item, p upload.Progress) { d.show([]gauge{uploadGauge(p)}) },
		Ended: func(it spool.Item, rep upload.Report, err error) {
			if err != nil {
				some = true
				log.Warn("not sent", "task", it.Task, "name", it.Name, "err", err)
				return
			}
			log.Info("sent", "task", it.Task, "name", it.Name, "content", rep.Content, "server", rep.Server,
				"seconds", rep.Seconds, "bytes", rep.Sent, "again", rep.Resent)
		},
	}, o.once)
	switch {
	case ctx.Err() != nil && interrupted(ctx) && !o.once:
		return nil
	case err == nil && some && o.once:
		return failedSome
	}
	return err
}

type spoolWatchOptions struct {
	uploadOptions
	settle time.Duration
	level  slog.Level
}

func newSpoolWatch(a *app) *cobra.Command {
	var o spoolWatchOptions
	cmd := &cobra.Command{
		Use:   "watch DIR --spool SPOOL",
		Short: "Spool and send the files that are put into a folder",
		Long: `Spool the files and folders that are put into DIR, once they have stood still for a
while, and send them. Names that begin with a dot are passed over. What was spooled
stays in DIR; it is spooled again when it has changed.

Where another process runs the spool, that one sends.`,
		Args: exactly("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return watchSpool(cmd.Context(), a, args[0], o)
		},
	}
	o.target.add(cmd)
	o.distribute.add(cmd)
	fs := cmd.Flags()
	fs.StringVar(&o.spool, "spool", "", "`SPOOL` to use (required)")
	fs.BoolVar(&o.copy, "copy", false, "copy the data into the spool rather than link it")
	fs.DurationVar(&o.settle, "settle", 2*time.Second, "for how long a file must not have changed")
	logFlag(cmd, &o.level)
	return cmd
}

func watchSpool(ctx context.Context, a *app, dir string, o spoolWatchOptions) error {
	const op = "watch"
	if o.spool == "" {
		return usageError(op, "", "say where uploads are kept, such as --spool /var/spool/shoal", errors.New("--spool is missing"))
	}
	if o.settle <= 0 {
		return usageError(op, o.settle.String(), "--settle wants a DURATION, such as 2s", errors.New("not positive"))
	}
	n, err := o.item(op, dir)
	if err != nil {
		return err
	}
	s, err := spool.Open(o.spool)
	if err != nil {
		return failed(op, o.spool, err)
	}
	defer s.Close()
	log := newLogger(a, o.level)
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		return s.Watch(gctx, dir, spool.Watching{
			New: n, Settle: o.settle,
			Added:  func(it spool.Item) { log.Info("spooled", "task", it.Task, "name", it.Name, "size", it.Size) },
			Failed: func(path string, err error) { log.Error("not spooled", "path", path, "err", err) },
		})
	})
	g.Go(func() error {
		err := runSpool(gctx, a, s, spoolRunOptions{level: o.level})
		if errors.Is(err, shoal.ErrConflict) {
			log.Info("another process sends", "spool", s.Dir())
			return nil
		}
		return err
	})
	err = g.Wait()
	if interrupted(ctx) {
		return nil
	}
	return failed(op, dir, err)
}
