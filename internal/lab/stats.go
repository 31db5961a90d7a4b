//go:build linux

package lab

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/shoal-cdn/shoal"
)

// Stats is what a process used so far.
type Stats struct {
	CPU     time.Duration // user and system time, in steps of 10 ms
	RSS     shoal.Size    // resident now; 0 once it ended
	PeakRSS shoal.Size
}

// ReadStats reads a running process's use of CPU and memory.
func ReadStats(pid int) (Stats, error) {
	st, err := readStat(pid)
	if err != nil {
		return Stats{}, fmt.Errorf("stats of process %d: %w", pid, err)
	}
	s := Stats{CPU: st.cpu}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return Stats{}, fmt.Errorf("stats of process %d: %w", pid, err)
	}
	for line := range strings.Lines(string(status)) {
		key, value, _ := strings.Cut(line, ":")
		switch key {
		case "VmRSS":
			s.RSS, err = shoal.ParseSize(strings.ReplaceAll(strings.TrimSpace(value), " kB", "KiB"))
		case "VmHWM":
			s.PeakRSS, err = shoal.ParseSize(strings.ReplaceAll(strings.TrimSpace(value), " kB", "KiB"))
		}
		if err != nil {
			return s, fmt.Errorf("stats of process %d: %s: %w", pid, key, err)
		}
	}
	return s, nil
}

// stat is a part of /proc/PID/stat.
type stat struct {
	cpu   time.Duration
	start uint64 // clock ticks since the machine started
}

// tick is the unit of times in /proc: USER_HZ is 100 on every architecture
// that Go runs on.
const tick = 10 * time.Millisecond

// readStat reads fields 14, 15 and 22 of /proc/PID/stat (proc(5)). The second
// field, the command's name in parentheses, may contain anything.
func readStat(pid int) (stat, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, err
	}
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:])) // from field 3 on
	if len(fields) < 20 {
		return stat{}, fmt.Errorf("%d fields in the stat of process %d", len(fields), pid)
	}
	var v [3]uint64
	for i, field := range [...]int{14, 15, 22} {
		if v[i], err = strconv.ParseUint(fields[field-3], 10, 64); err != nil {
			return stat{}, fmt.Errorf("stat of process %d: %w", pid, err)
		}
	}
	return stat{time.Duration(v[0]+v[1]) * tick, v[2]}, nil
}
