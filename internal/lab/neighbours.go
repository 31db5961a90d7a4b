//go:build linux

package lab

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// maxNeighbours is how many entries the kernel's tables of neighbours (ARP) may
// have before it collects old ones, does so at once, and refuses new ones. There
// is one table for all namespaces, and the usual 1024 are too few from 32 hosts on
// that all talk to each other: connections then fail for no reason to be seen.
var maxNeighbours = map[string]int{"gc_thresh1": 8 << 10, "gc_thresh2": 32 << 10, "gc_thresh3": 64 << 10}

// roomForNeighbours raises the bounds where they are lower. They stay so: another
// lab may need them.
func roomForNeighbours() error {
	for name, want := range maxNeighbours {
		path := "/proc/sys/net/ipv4/neigh/default/" + name
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if now, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil && now >= want {
			continue
		}
		if err := os.WriteFile(path, []byte(strconv.Itoa(want)), 0); err != nil {
			return fmt.Errorf("make room for neighbours: %w", err)
		}
	}
	return nil
}
