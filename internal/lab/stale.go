//go:build linux

package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// namePrefix begins the names of all labs' namespaces.
const namePrefix = "shoal-lab."

// owner names a process for good: a PID is used again, but not with the same
// start time.
type owner struct {
	pid   int
	start uint64 // clock ticks since the machine started
}

func (o owner) String() string { return fmt.Sprintf("%d.%d", o.pid, o.start) }

func ownerOf(pid int) (owner, error) {
	st, err := readStat(pid)
	return owner{pid, st.start}, err
}

// alive reports whether the process still runs.
func (o owner) alive() bool {
	now, err := ownerOf(o.pid)
	return err == nil && now == o
}

// parseOwner reads the owner out of a namespace's name.
func parseOwner(name string) (owner, bool) {
	rest, ours := strings.CutPrefix(name, namePrefix)
	parts := strings.SplitN(rest, ".", 4)
	if !ours || len(parts) != 4 {
		return owner{}, false
	}
	pid, err1 := strconv.Atoi(parts[0])
	start, err2 := strconv.ParseUint(parts[1], 10, 64)
	return owner{pid, start}, err1 == nil && err2 == nil
}

// removeStale removes the namespaces of labs whose process is gone.
func removeStale() error {
	entries, err := os.ReadDir(namespaceDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("look for leftovers: %w", err)
	}
	var stale []string
	for _, e := range entries {
		if o, ours := parseOwner(e.Name()); ours && !o.alive() {
			stale = append(stale, e.Name())
		}
	}
	if len(stale) == 0 {
		return nil
	}
	errs := []error{killWithin(stale)}
	for _, name := range stale {
		ns := namespace{name}
		if err := ns.remove(); err != nil {
			if _, gone := os.Stat(ns.path()); gone == nil { // else another process was quicker
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

// killWithin kills every process whose network namespace is among those named.
func killWithin(names []string) error {
	type inode struct{ dev, ino uint64 }
	stat := func(path string) (inode, error) {
		var st unix.Stat_t
		err := unix.Stat(path, &st)
		return inode{uint64(st.Dev), st.Ino}, err
	}
	within := make(map[inode]bool)
	for _, name := range names {
		if id, err := stat(filepath.Join(namespaceDir, name)); err == nil {
			within[id] = true
		}
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return fmt.Errorf("look for processes: %w", err)
	}
	var errs []error
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		id, err := stat(filepath.Join("/proc", e.Name(), "ns/net"))
		if err != nil || !within[id] {
			continue // gone, or none of ours
		}
		if err := unix.Kill(pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
			errs = append(errs, fmt.Errorf("kill process %d: %w", pid, err))
		}
	}
	return errors.Join(errs...)
}
