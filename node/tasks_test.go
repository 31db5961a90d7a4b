package node_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/shoal-cdn/shoal/node"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// Of the tasks that wait on a node the highest begins first, also after a restart of the
// node; what had begun goes on before them.
func TestPriority(t *testing.T) {
	url, tc := startTracker(t)
	a := start(t, node.Config{Name: "a", Data: t.TempDir(), Trackers: []string{url}, Up: 1 << 20})
	cfg := node.Config{Name: "b", Data: t.TempDir(), Trackers: []string{url}, MaxTasks: 1}
	b := start(t, cfg)
	liveNodes(t, tc, 2)
	dir := t.TempDir()
	create := func(size int, p tapi.Priority) tapi.Task {
		t.Helper()
		source := filepath.Join(dir, fmt.Sprintf("%d.bin", size))
		writeFile(t, source, size)
		seeded, err := a.Seed(t.Context(), source, nil)
		if err != nil {
			t.Fatal(err)
		}
		task, err := tc.CreateTask(t.Context(), tapi.NewTask{Content: seeded.Content, Nodes: []string{"b"}, Priority: p})
		if err != nil {
			t.Fatal(err)
		}
		return task
	}
	first := create(2<<20, -10)
	eventually(t, "b has a part of the first", func() bool {
		c, err := b.Content(t.Context(), first.Content)
		return err == nil && c.PiecesHeld > 0
	})
	tasks := []tapi.Task{create(200_000, -5), create(200_001, 0), create(200_002, 10)}
	for _, task := range tasks {
		eventually(t, "it is queued", func() bool {
			got, err := tc.Task(t.Context(), task.ID)
			return err == nil && got.State == tapi.Pending && got.Nodes[0].Queued && got.Priority == task.Priority
		})
	}
	b.stop()
	start(t, cfg)

	ends := func(task tapi.Task) float64 { // seconds after the first one's creation
		got := finished(t, tc, task.ID)
		if got.State != tapi.Succeeded {
			t.Fatalf("task: %+v", got)
		}
		return got.Created.Sub(first.Created).Seconds() + got.Seconds
	}
	order := []float64{ends(first), ends(tasks[2]), ends(tasks[1]), ends(tasks[0])}
	if !slices.IsSorted(order) {
		t.Errorf("the first, high, normal and low task ended after %v s", order)
	}
	if got := finished(t, tc, tasks[0].ID).Nodes[0]; got.Queued || got.Why.Queued <= 0 || got.Why.Queued > got.Seconds {
		t.Errorf("low: %+v", got)
	}
}
