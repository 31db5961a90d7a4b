package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"shoal": main})
}

// TestScripts runs the command as a user does. $TRACKER and $NODE are fakes
// with fixed answers; scripts that need the real ones start them.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			tracker := httptest.NewServer(fakeTracker())
			node := httptest.NewServer(fakeNode())
			e.Defer(tracker.Close)
			e.Defer(node.Close)
			e.Setenv("TRACKER", tracker.URL)
			e.Setenv("NODE", node.URL)
			addrs, err := freeAddrs(7)
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(e.WorkDir, "file.yaml"), []byte("json: true\nup: 20Mbit\ntracker: ["+tracker.URL+"]\n"), 0o600); err != nil {
				return err
			}
			for i, a := range addrs {
				e.Setenv("ADDR"+string(rune('1'+i)), a)
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exitcode": cmdExitCode,
			"capture":  cmdCapture,
			"json":     cmdJSON,
			"random":   cmdRandom,
			"retry":    cmdRetry,
		},
	})
}

// cmdExitCode runs shoal and checks its exit code: exitcode 2 task create.
func cmdExitCode(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec("shoal", args[1:]...)
	got := 0
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		got = e.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("exit code %d, want %s", got, args[0])
	}
}

// cmdJSON checks values of the JSON on the last command's stdout:
//
//	json .nodes.0.bytes.peers 42
//
// compares the text of one value; with one argument it just has to be there.
func cmdJSON(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: json PATH [VALUE]")
	}
	var v any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &v))
	for _, key := range strings.Split(strings.Trim(args[0], "."), ".") {
		ok := false
		switch c := v.(type) {
		case map[string]any:
			v, ok = c[key]
		case []any:
			for i, e := range c {
				if key == string(rune('0'+i)) {
					v, ok = e, true
					break
				}
			}
		}
		if !ok {
			if neg {
				return
			}
			ts.Fatalf("%s: no %q", args[0], key)
		}
	}
	got, err := json.Marshal(v)
	ts.Check(err)
	match := len(args) == 1 || strings.Trim(string(got), `"`) == args[1]
	if match == neg {
		ts.Fatalf("%s is %s", args[0], got)
	}
}

// cmdCapture puts what the last command printed into a variable: capture NAME.
func cmdCapture(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile("stdout")))
}

// cmdRandom makes a file of random bytes: random NAME SIZE.
func cmdRandom(ts *testscript.TestScript, _ bool, args []string) {
	size, err := strconv.Atoi(args[1])
	ts.Check(err)
	data := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(data) // cannot fail
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o644))
}

// cmdRetry repeats a command until its stdout has the first argument, for a
// daemon that needs a moment to start.
func cmdRetry(ts *testscript.TestScript, _ bool, args []string) {
	deadline := time.Now().Add(time.Minute)
	for {
		err := ts.Exec(args[1], args[2:]...)
		if err == nil && strings.Contains(ts.ReadFile("stdout"), args[0]) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%v: no %q in its output: %v", args[1:], args[0], err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// TestInterruptedWait: Ctrl-C while a task is being followed leaves it running
// and says so.
func TestInterruptedWait(t *testing.T) {
	srv := httptest.NewServer(fakeTracker())
	t.Cleanup(srv.Close)
	ctx, cancel := context.WithCancelCause(t.Context())
	out, in := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"task", "watch", "slow", "--tracker", srv.URL}, nil, nil, io.Discard, in)
		in.Close()
	}()
	first := make([]byte, 1024)
	n, err := out.Read(first)
	if err != nil || !strings.Contains(string(first[:n]), "edge-1: 25%") {
		t.Fatalf("first output %q, %v", first[:n], err)
	}
	cancel(errInterrupted{os.Interrupt})
	rest, err := io.ReadAll(out)
	if err != nil {
		t.Fatal(err)
	}
	if got := <-code; got != exitFailure {
		t.Errorf("exit code %d, want %d", got, exitFailure)
	}
	for _, want := range []string{"shoal: watch task: \"slow\": stopped by signal: interrupt\n", "'shoal task cancel slow'"} {
		if !strings.Contains(string(rest), want) {
			t.Errorf("output %q lacks %q", rest, want)
		}
	}
}
