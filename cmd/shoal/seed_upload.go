package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/spool"
	"github.com/shoal-cdn/shoal/node/upload"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// uploadOptions are those of a seed that is uploaded to an ingest server.
type uploadOptions struct {
	target     targetFlags
	distribute distributeFlags
	timeout    time.Duration
	spool      string
	copy       bool
	wait       bool
	verbose    bool
	json       bool
}

func (o *uploadOptions) add(cmd *cobra.Command) {
	fs := cmd.Flags()
	o.target.add(cmd)
	o.distribute.add(cmd)
	fs.DurationVar(&o.timeout, "timeout", 0, "give up an upload after so long without progress (default never)")
	fs.StringVar(&o.spool, "spool", "", "leave the upload in `DIR`, for 'shoal spool run', and return at once")
	fs.BoolVar(&o.copy, "copy", false, "copy the data into the spool rather than link it")
	fs.BoolVar(&o.wait, "wait", false, "follow the distribution to its end after the upload")
	fs.BoolVarP(&o.verbose, "verbose", "v", false, "say what was measured, which server and protocol were chosen, and what each connection did")
}

// wanted reports whether the command line asks for an upload rather than a seed
// by a node: --node decides where both could be meant.
func (o *uploadOptions) wanted(cmd *cobra.Command) bool {
	fs := cmd.Flags()
	if fs.Changed("to-server") || fs.Changed("spool") {
		return true
	}
	return !fs.Changed("node") && slices.ContainsFunc([]string{"tracker", "to", "task", "wait"}, fs.Changed)
}

// seedUpload uploads a file or folder. What it needs to go on after a break is kept
// in the user's cache, so that the same command resumes.
func seedUpload(ctx context.Context, a *app, arg string, o uploadOptions) error {
	const op = "seed"
	n, err := o.item(op, arg)
	if err != nil {
		return err
	}
	if o.spool != "" {
		return seedSpool(ctx, a, n, o)
	}
	s, err := openCache(a)
	if err != nil {
		return err
	}
	defer s.Close()
	n.InPlace = true
	it, err := s.Find(ctx, n)
	if errors.Is(err, shoal.ErrNotFound) {
		it, err = s.Add(ctx, n)
	}
	if err != nil {
		return failed(op, arg, err)
	}
	rep, err := sendItem(ctx, a, s, it, o)
	if err == nil || errors.Is(err, shoal.ErrChanged) || errors.Is(err, shoal.ErrInvalid) {
		// What it keeps is of no use any more.
		if removeErr := s.Remove(it.Task); err == nil && removeErr != nil {
			fmt.Fprintf(a.stderr, "warning: %s\n", oneLine(removeErr.Error()))
		}
	}
	if err != nil {
		return &opError{op: op, input: arg, cause: err, hint: uploadHint(ctx, err)}
	}
	return reportUpload(ctx, a, rep, o)
}

// sendItem sends an item and shows how that goes.
func sendItem(ctx context.Context, a *app, s *spool.Spool, it spool.Item, o uploadOptions) (upload.Report, error) {
	candidates, err := candidatesOf(a, it.Target)
	if err != nil {
		return upload.Report{}, err
	}
	d := newDisplay(ctx, a.stderr)
	if o.verbose {
		d = newLines(a.stderr) // its lines and those of the log don't disturb each other
	}
	defer d.close()
	level := slog.LevelError
	if o.verbose {
		level = slog.LevelDebug // one line for each request: its size, and the speed it follows
	}
	return s.Send(ctx, it.Task, spool.Sending{
		Candidates: candidates, Timeout: o.timeout, Log: newLogger(a, level),
		Progress: func(_ spool.Item, p upload.Progress) { d.show([]gauge{uploadGauge(p)}) },
	})
}

func uploadGauge(p upload.Progress) gauge {
	g := gauge{name: p.Name, done: p.Done, total: p.Size, note: p.Note, ended: p.Size > 0 && p.Done == p.Size && p.Note == "uploaded"}
	if p.Done == 0 && p.Hashed > 0 && p.Hashed < p.Size {
		g.note = fmt.Sprintf("%s, %s hashed", p.Note, percentText(p.Hashed, p.Size))
	}
	return g
}

func uploadHint(ctx context.Context, err error) string {
	switch {
	case errors.Is(err, shoal.ErrChanged):
		return "the file was changed after it was hashed; the same command uploads it as it is now"
	case errors.Is(err, shoal.ErrConflict):
		return "another 'shoal seed' of it may be running"
	case errors.Is(err, shoal.ErrNotFound):
		return "a node takes uploads with 'shoal node --ingest'"
	case interrupted(ctx), errors.Is(err, shoal.ErrUnavailable):
		return "the same command goes on with what has arrived"
	}
	return ""
}

// openCache opens the spool of uploads that are sent at once, by reference.
func openCache(a *app) (*spool.Spool, error) {
	dir, err := os.UserCacheDir()
	if err != nil { // no home: this run can be resumed as long as the folder is there
		dir = os.TempDir()
	}
	s, err := spool.Open(filepath.Join(dir, "shoal", "uploads"))
	return s, failed("seed", "", err)
}

// reportUpload prints what an upload was like, and follows the distribution.
func reportUpload(ctx context.Context, a *app, rep upload.Report, o uploadOptions) error {
	if o.verbose {
		if err := writeUploadTables(a.stderr, rep); err != nil {
			return err
		}
	}
	if !o.json {
		fmt.Fprintf(a.stderr, "%s to %s over %s in %s; %s sent, %s of it again\n", bytesText(rep.Size), printable(rep.Server), rep.Transport,
			secondsText(rep.Seconds), bytesText(rep.Sent), bytesText(rep.Resent))
		if _, err := fmt.Fprintln(a.stdout, rep.Content); err != nil {
			return err
		}
	}
	if !o.wait || rep.Distribution == "" {
		if o.json {
			return printJSON(a.stdout, uploadReport{Report: rep})
		}
		return nil
	}
	c, err := trackerClient("watch task", o.target.trackers)
	if err != nil {
		return err
	}
	if err := taskAppears(ctx, c, rep.Distribution); err != nil {
		return failed("watch task", rep.Distribution, err)
	}
	if !o.json {
		return followTask(ctx, a, c, rep.Distribution, false)
	}
	d := newDisplay(ctx, a.stderr)
	t, err := awaitTask(ctx, c, rep.Distribution, d)
	d.close()
	if err != nil {
		return failed("watch task", rep.Distribution, err)
	}
	if err := printJSON(a.stdout, uploadReport{rep, new(newTaskReport(t))}); err != nil {
		return err
	}
	return taskOutcome(t)
}

// uploadReport is what --json prints.
type uploadReport struct {
	upload.Report
	Distributed *taskReport `json:"distributed"` // with --wait: the task at its end
}

// taskPatience is how long the ingest server may take to have the tracker create
// the task.
const taskPatience = time.Minute

// taskAppears waits until the tracker knows a task.
func taskAppears(ctx context.Context, c *api.Client, id string) error {
	ctx, cancel := context.WithTimeout(ctx, taskPatience)
	defer cancel()
	for {
		_, err := c.Task(ctx, id)
		if !errors.Is(err, shoal.ErrNotFound) {
			return nil // whatever else is wrong, following it will tell
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(taskPause):
		}
	}
}
