package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := withSignals(context.Background())
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr))
}

// run executes one command line and returns its exit code.
func run(ctx context.Context, args, environ []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot(&app{environ: environ, stdout: stdout, stderr: stderr})
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	if interrupted(ctx) {
		err = explainInterrupt(ctx, err)
	}
	report(stderr, err)
	return exitCode(err)
}

// errInterrupted is the cause of a context that a signal ended.
type errInterrupted struct{ signal os.Signal }

func (e errInterrupted) Error() string { return "stopped by signal: " + e.signal.String() }

// withSignals ends the context at the first SIGINT or SIGTERM, so that the
// command can stop gracefully, and the process at the second.
func withSignals(parent context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case s := <-signals:
			cancel(errInterrupted{s})
		case <-ctx.Done():
			return
		}
		<-signals
		os.Exit(exitFailure)
	}()
	return ctx, func() { signal.Stop(signals); cancel(nil) }
}
