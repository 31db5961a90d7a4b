package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/shoal-cdn/shoal"
)

func TestReport(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want string
		code int
	}{
		{"operation, input and cause", failed("get", "abc", errors.New("boom")), "shoal: get: \"abc\": boom\n", exitFailure},
		{"a hint of its own", usageError("get", "", "do better", errors.New("boom")), "shoal: get: boom\nhint: do better\n", exitUsage},
		{"a client that names the operation again", failed("watch task", "t1", fmt.Errorf("watch task: watch task %q: %w", "t1", errors.New("boom"))),
			"shoal: watch task: \"t1\": boom\n", exitFailure},
		{"a hint by the cause's kind", failed("seed", "/x", fmt.Errorf("open: %w", os.ErrPermission)),
			"shoal: seed: \"/x\": open: permission denied\nhint: check who owns the path and its modes\n", exitFailure},
		{"several causes on one line", errors.Join(errors.New("one"), errors.New("two")), "shoal: one; two\n", exitFailure},
		{"a usage error among others", errors.Join(errors.New("one"), usageError("op", "", "h", errors.New("two"))), "shoal: one; op: two\nhint: h\n", exitUsage},
		{"hostile text", failed("get", "a\nb\x1b", errors.New("c")), "shoal: get: \"a\\nb\\x1b\": c\n", exitFailure},
		{"hostile cause", failed("get", "a", errors.New("line\nshoal: \x1b[2Jfake")), "shoal: get: \"a\": line; shoal: ?[2Jfake\n", exitFailure},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			report(&out, tt.err)
			if out.String() != tt.want {
				t.Errorf("printed %q, want %q", out.String(), tt.want)
			}
			if got := exitCode(tt.err); got != tt.code {
				t.Errorf("exit code %d, want %d", got, tt.code)
			}
		})
	}
	if failed("op", "x", nil) != nil {
		t.Error("failed(nil) is an error")
	}
	if h := hint(failed("op", "", fmt.Errorf("%w: x", shoal.ErrNotFound))); h == "" {
		t.Error("no hint for what is not found")
	}
}
