//go:build linux

package system

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/shoal-cdn/shoal"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// BenchmarkMemory is what a node has resident, in MiB, while it lives through
// one large task and then a hundred small ones, one after another:
//
//	go test -run '^$' -bench Memory -benchtime 1x -timeout 30m ./internal/lab/system -shoal.size=10GiB
func BenchmarkMemory(b *testing.B) {
	const tasks, small = 100, 20 << 20
	dir := b.TempDir()
	s := newSolo(b, dir)
	node := s.startNode(b, "node")
	give := func(name string, size shoal.Size, seed uint64) {
		source := filepath.Join(dir, name)
		randomFile(b, source, size, seed)
		var task tapi.Task
		s.shoal(b, &task, "task", "create", s.seed(b, source), "--tracker", s.tracker, "--nodes", "node", "--wait", "--json")
		if task.State != tapi.Succeeded {
			b.Fatalf("%s: %+v", name, task)
		}
	}
	for b.Loop() {
		give("large", fileSize, 0)
		b.ReportMetric(mib(statsOf(b, node).PeakRSS), "large-peak-MiB")
		for i := range tasks {
			give(fmt.Sprintf("small%d", i), small, uint64(i+1))
			if done := i + 1; done%20 == 0 {
				b.ReportMetric(mib(statsOf(b, node).RSS), fmt.Sprintf("after-%d-MiB", done))
			}
		}
		b.ReportMetric(mib(statsOf(b, node).PeakRSS), "peak-MiB")
		b.ReportMetric(mib(statsOf(b, s.origin).PeakRSS), "sender-peak-MiB")
	}
}

func mib(s shoal.Size) float64 { return float64(s) / (1 << 20) }
