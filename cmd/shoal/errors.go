package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"github.com/shoal-cdn/shoal"
)

// Exit codes.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

// opError is an error as the user sees it:
//
//	shoal: OP: "INPUT": CAUSE
//	hint: HINT
type opError struct {
	op    string // what was attempted, e.g. "create task"
	input string // what the user gave, quoted; "" where nothing of it is at fault
	cause error  // nil where op and input say it all
	hint  string // what to do about it; "" derives one from the cause
	usage bool   // the command line is wrong: exit code 2
}

func (e *opError) Unwrap() error { return e.cause }

func (e *opError) Error() string {
	s := e.op
	if e.input != "" {
		s += fmt.Sprintf(": %q", e.input)
	}
	if e.cause == nil {
		return s
	}
	// Clients and the other side name the operation too; once is enough.
	cause := e.cause.Error()
	for trimmed := ""; trimmed != cause; {
		trimmed = cause
		cause = strings.TrimPrefix(cause, fmt.Sprintf("%s %q: ", e.op, e.input))
		cause = strings.TrimPrefix(cause, e.op+": ")
	}
	return s + ": " + cause
}

// usageError says that input, given for a flag or an argument, is wrong.
func usageError(op, input, hint string, cause error) error {
	return &opError{op: op, input: input, cause: cause, hint: hint, usage: true}
}

// failed says that op did not work out for input; nil where err is nil.
func failed(op, input string, err error) error {
	if err == nil {
		return nil
	}
	return &opError{op: op, input: input, cause: err}
}

func exitCode(err error) int {
	if e, ok := errors.AsType[*opError](err); ok && e.usage {
		return exitUsage
	}
	return exitFailure
}

// report prints the error on one line and a hint on the next.
func report(w io.Writer, err error) {
	fmt.Fprintf(w, "shoal: %s\n", oneLine(err.Error()))
	if h := hint(err); h != "" {
		fmt.Fprintf(w, "hint: %s\n", h)
	}
}

// hint is the outermost hint given, or one for the kind of the cause.
func hint(err error) string {
	if e, ok := errors.AsType[*opError](err); ok && e.hint != "" {
		return e.hint
	}
	var op *net.OpError
	switch {
	case errors.As(err, &op) && op.Op == "dial":
		return "is it running there? start a tracker with 'shoal tracker', a node with 'shoal node'; --tracker and --node say where they are"
	case errors.As(err, &op) && op.Op == "listen":
		return "another process may have that address; choose another with --listen, --http, --gateway or --gateway-tls"
	case errors.Is(err, os.ErrPermission):
		return "check who owns the path and its modes"
	case errors.Is(err, os.ErrNotExist):
		return "check the path; a node reads paths on its own machine"
	case errors.Is(err, shoal.ErrNotFound):
		return "'shoal contents', 'shoal nodes' and 'shoal task list' show what there is"
	case errors.Is(err, shoal.ErrChanged):
		return "seed it again: the changed file is another content"
	case errors.Is(err, shoal.ErrUnavailable):
		return "try again; if it stays, look at the log of the tracker or the node"
	}
	return ""
}

// oneLine keeps an error that spans lines, as joined errors do, on one, and
// what another machine put into it from steering the terminal.
func oneLine(s string) string {
	lines := strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' })
	return printable(strings.Join(lines, "; "))
}

// interrupted reports whether a signal ended ctx.
func interrupted(ctx context.Context) bool {
	_, ok := errors.AsType[errInterrupted](context.Cause(ctx))
	return ok
}

// explainInterrupt replaces what the interrupted call happened to return by
// the signal; hints of the command remain.
func explainInterrupt(ctx context.Context, err error) error {
	e, ok := errors.AsType[*opError](err)
	if !ok || e.usage {
		return err
	}
	return &opError{op: e.op, input: e.input, cause: context.Cause(ctx), hint: e.hint}
}
