//go:build linux

package lab

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// spaces lists the namespaces whose names begin so.
func spaces(t *testing.T, prefix string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(namespaceDir, prefix+"*"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestCloseLeavesNothing(t *testing.T) {
	l := Start(t)
	c, err := l.AddCarrier("isp")
	if err != nil {
		t.Fatal(err)
	}
	h, err := l.AddHost("h", HostConfig{Carrier: c})
	if err != nil {
		t.Fatal(err)
	}
	p, err := h.Start(ProcessConfig{Name: "sleep", Command: []string{"sleep", "60"}, Log: filepath.Join(t.TempDir(), "log")})
	if err != nil {
		t.Fatal(err)
	}
	if got := spaces(t, l.prefix); len(got) != 2 {
		t.Errorf("namespaces while it is open: %q, want two", got)
	}
	for range 2 {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	if got := spaces(t, l.prefix); len(got) != 0 {
		t.Errorf("namespaces left: %q", got)
	}
	select {
	case <-p.Done():
	default:
		t.Error("a process is left")
	}
	if _, err := l.AddCarrier("late"); err == nil {
		t.Error("a closed lab takes a carrier")
	}
}

func TestNewRemovesWhatDeadProcessesLeft(t *testing.T) {
	live := Start(t)
	if _, err := live.AddCarrier("isp"); err != nil {
		t.Fatal(err)
	}
	// This PID is in use, but by a process of another start time.
	dead := owner{os.Getpid(), 1}
	ns, err := newNamespace(fmt.Sprintf("%s%v.1.left", namePrefix, dead))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("nsenter", "--net="+ns.path(), "--", "sh", "-c", "echo inside; exec sleep 20")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := stdout.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	Start(t)
	if got := spaces(t, fmt.Sprintf("%s%v.", namePrefix, dead)); len(got) != 0 {
		t.Errorf("namespaces left: %q", got)
	}
	if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("the process in it ended with %v, want killed", err)
	}
	if got := spaces(t, live.prefix); len(got) != 1 {
		t.Errorf("namespaces of a living process: %q, want one", got)
	}
}

func TestParseOwner(t *testing.T) {
	for name, want := range map[string]bool{
		"shoal-lab.12.345.1.origin": true,
		"shoal-lab.12.345.1":        false,
		"shoal-lab.x.345.1.origin":  false,
		"shoal-lab.12.-1.1.origin":  false,
		"shoal.12.345.1.origin":     false,
		"":                          false,
	} {
		o, ours := parseOwner(name)
		if ours != want {
			t.Errorf("parseOwner(%q): ours %v, want %v", name, ours, want)
		}
		if ours && o != (owner{12, 345}) {
			t.Errorf("parseOwner(%q) = %v", name, o)
		}
	}
}
