//go:build linux

package system

import (
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// An origin and 16 nodes behind 20 Mbit/s each way (M3, B2): everything
// arrives intact, and the origin sends little more than one copy. -v prints
// how near the fluid bound the time was.
func TestLAN16(t *testing.T) {
	const nodes, rate = 16, 20 * mbit
	w := newWorld(t, nodes, rate)
	source := filepath.Join(t.TempDir(), "file.bin")
	randomFile(t, source, fileSize, 1)
	seeded, err := w.origin.Seed(t.Context(), source)
	must(t, err)
	before, err := w.origin.Host().Counters()
	must(t, err)

	names := make([]string, nodes)
	for i, n := range w.nodes {
		names[i] = n.Name()
	}
	task := w.distribute(within(t, 10*time.Minute), seeded.Content, names...)
	after, err := w.origin.Host().Counters()
	must(t, err)

	var seconds []float64
	var cpu time.Duration
	for i, n := range w.nodes {
		sameFile(t, source, n)
		seconds = append(seconds, task.Nodes[i].Seconds)
		s, err := n.Stats()
		must(t, err)
		cpu += s.CPU
	}
	slices.Sort(seconds)
	bound := float64(fileSize) / (float64(rate) * wirePayload)
	copies := float64(after.Sub(before).SentBytes) * wirePayload / float64(fileSize)
	t.Logf("%v in pieces of %d KiB: task %.2f s, nodes %.2f/%.2f/%.2f s (first/median/last), bound %.2f s: %.3f; origin %.3f copies; CPU of nodes %.2f s/GiB delivered",
		fileSize, seeded.PieceLength>>10, task.Seconds, seconds[0], seconds[nodes/2], seconds[nodes-1], bound,
		task.Seconds/bound, copies, cpu.Seconds()/(float64(fileSize)*nodes/(1<<30)))
	if copies > 2 { // a busy machine makes requests of what is late
		t.Errorf("the origin sent %.2f copies", copies)
	}
}
