//go:build linux

package system

import (
	"context"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/internal/lab/cluster"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// start runs a task in the background; wait returns it when it has ended.
func (w *world) start(ctx context.Context, id shoal.ContentID, nodes ...string) (wait func() tapi.Task) {
	done := make(chan tapi.Task, 1)
	failed := make(chan error, 1)
	go func() {
		task, err := w.tracker.Distribute(ctx, id, nodes...)
		failed <- err
		done <- task
	}()
	return func() tapi.Task {
		w.t.Helper()
		if err := <-failed; err != nil {
			w.t.Errorf("task: %v", err)
		}
		return <-done
	}
}

// waitPieces waits until a node holds a share of a content's pieces.
func waitPieces(ctx context.Context, t *testing.T, n *cluster.Node, id shoal.ContentID, share float64) {
	t.Helper()
	for {
		c, err := n.Content(ctx, id)
		if err == nil && c.Pieces > 0 && float64(c.PiecesHeld) >= share*float64(c.Pieces) {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s holds %d of %d pieces: %v", n.Name(), c.PiecesHeld, c.Pieces, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// kill -9 of a node at half way and a restart: it completes, and fetches no
// more than 4 MiB twice (M11).
func TestNodeKilledHalfWay(t *testing.T) {
	t.Parallel()
	const rate = 80 * mbit
	w := newWorld(t, 3, rate)
	source, id := seedFile(t, w.origin, "file.bin", 2*fileSize, 2)
	ctx := within(t, patience)
	victim := w.nodes[1]
	before, err := victim.Host().Counters()
	must(t, err)
	wait := w.start(ctx, id, "n00", "n01", "n02")
	waitPieces(ctx, t, victim, id, 0.5)
	must(t, victim.Kill())
	must(t, victim.Restart(ctx))
	wait()
	for _, n := range w.nodes {
		sameFile(t, source, n)
	}
	after, err := victim.Host().Counters()
	must(t, err)
	payload := shoal.Size(float64(after.Sub(before).ReceivedBytes) * wirePayload)
	t.Logf("the killed node received %v for a file of %v", payload.Short(), (2 * fileSize).Short())
	// Besides the data there are HAVEs, requests, acknowledgements and TLS.
	if most := 2*fileSize + 2*fileSize/10 + 4<<20; payload > most {
		t.Errorf("received %v, more than %v", payload, most)
	}
}

// kill -9 of the tracker at half way and a restart after the nodes are done:
// they never stop, and the task ends as it should (B4, M11).
func TestTrackerKilledHalfWay(t *testing.T) {
	t.Parallel()
	const rate = 80 * mbit
	w := newWorld(t, 3, rate)
	source, id := seedFile(t, w.origin, "file.bin", 2*fileSize, 3)
	ctx := within(t, patience)
	wait := w.start(ctx, id, "n00", "n01", "n02")
	waitPieces(ctx, t, w.nodes[0], id, 0.5)
	must(t, w.tracker.Kill())
	for _, n := range w.nodes {
		waitPieces(ctx, t, n, id, 1)
	}
	must(t, w.tracker.Restart(ctx))
	task := wait()
	for _, n := range task.Nodes {
		if n.State != tapi.Succeeded {
			t.Errorf("%s: %s %s", n.Node, n.State, n.Error)
		}
	}
	for _, n := range w.nodes {
		sameFile(t, source, n)
	}
}
