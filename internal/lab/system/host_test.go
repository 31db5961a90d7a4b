//go:build linux

package system

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal/internal/lab"
)

// output runs a command, which has to succeed, and returns what it says.
func output(t testing.TB, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", cmd, err, out)
	}
	return string(out)
}

// on is output for a command on a host.
func on(t testing.TB, h *lab.Host, name string, args ...string) string {
	t.Helper()
	return output(t, h.Command(t.Context(), name, args...))
}

// nft runs nft(8) on a host; a test that needs it is skipped where there is none.
func nft(t *testing.T, h *lab.Host, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath("nft"); err != nil {
		t.Skip("needs nft")
	}
	return on(t, h, "nft", args...)
}

// drop has a host drop, in silence, what arrives and fits one of these matches
// of nft(8).
func drop(t *testing.T, h *lab.Host, matches ...string) {
	t.Helper()
	script := "add table ip wall; add chain ip wall in { type filter hook input priority 0; }"
	for _, m := range matches {
		script += "; add rule ip wall in " + m + " drop"
	}
	nft(t, h, script)
}

// countBytes counts the bytes that a host gets, after what [drop] drops, and that fit a match of nft(8).
func countBytes(t *testing.T, h *lab.Host, match string) func() int64 {
	t.Helper()
	nft(t, h, "add rule ip wall in "+match+" counter")
	return func() (n int64) {
		t.Helper()
		_, text, _ := strings.Cut(nft(t, h, "list chain ip wall in"), match+" counter packets ")
		_, err := fmt.Sscanf(text, "%d bytes %d", new(int64), &n)
		must(t, err)
		return n
	}
}

// logged is a process that writes a log.
type logged interface {
	Name() string
	LogPath() string
	Done() <-chan struct{}
}

// logOf is what a process has logged so far, over all of its starts.
func logOf(t testing.TB, p logged) string {
	t.Helper()
	b, err := os.ReadFile(p.LogPath())
	must(t, err)
	return string(b)
}

// awaitLog waits until a process has logged a line with some words, behind so many bytes of its log, and returns
// the line.
func awaitLog(t *testing.T, p logged, behind int, words string) (line string) {
	t.Helper()
	for ctx, done := within(t, patience), p.Done(); ; {
		ended := false
		select {
		case <-done:
			ended = true // it may have said so before
		case <-ctx.Done():
			ended = true
		case <-time.After(50 * time.Millisecond):
		}
		for line := range strings.Lines(logOf(t, p)[behind:]) {
			if strings.Contains(line, words) && strings.HasSuffix(line, "\n") {
				return line
			}
		}
		if ended {
			t.Fatalf("%s never says %q", p.Name(), words)
		}
	}
}

// sameBytes compares a copy of a file with the file.
func sameBytes(t testing.TB, name, source, copied string) {
	t.Helper()
	if out, err := exec.Command("cmp", source, copied).CombinedOutput(); err != nil {
		t.Errorf("%s: %v: %s", name, err, out)
	}
}
