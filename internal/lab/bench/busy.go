//go:build linux

package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// cpuTicks is what all CPUs together have done since the machine started.
type cpuTicks struct{ busy, all uint64 }

// readCPU reads the first line of /proc/stat (proc(5)): user, nice, system, idle,
// iowait, irq, softirq, steal, and guest times that the first two contain.
func readCPU() (cpuTicks, error) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return cpuTicks{}, err
	}
	line, _, _ := strings.Cut(string(b), "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return cpuTicks{}, fmt.Errorf("/proc/stat begins with %q", line)
	}
	var t cpuTicks
	for i, f := range fields[1:9] {
		n, err := strconv.ParseUint(f, 10, 64)
		if err != nil {
			return t, fmt.Errorf("/proc/stat: %w", err)
		}
		t.all += n
		if i != 3 && i != 4 {
			t.busy += n
		}
	}
	return t, nil
}

// since is the share of time, between o and t, in which CPUs were busy, with
// whatever it was.
func (t cpuTicks) since(o cpuTicks) float64 {
	if t.all <= o.all {
		return 0
	}
	return float64(t.busy-o.busy) / float64(t.all-o.all)
}
