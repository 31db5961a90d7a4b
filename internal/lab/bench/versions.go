//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// firstLine asks a program for its version. Where that fails, its Debian
// package is named.
func firstLine(debian string, command ...string) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		out, err := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput() // some print it to stderr
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		if err != nil {
			return "", fmt.Errorf("%w: %s (Debian: %s)", err, lines[len(lines)-1], debian)
		}
		return lines[0], nil
	}
}

func shoalVersion(context.Context) (string, error) { return "this tree", nil }

func webVersion(ctx context.Context) (string, error) {
	nginx, err1 := firstLine("nginx", "nginx", "-v")(ctx)
	curl, err2 := firstLine("curl", "curl", "--version")(ctx)
	if err := errors.Join(err1, err2); err != nil {
		return "", err
	}
	curl, _, _ = strings.Cut(curl, " (")
	return strings.TrimPrefix(nginx, "nginx version: ") + ", " + curl, nil
}
