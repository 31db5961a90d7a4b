//go:build linux

package system

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/internal/lab"
	"github.com/shoal-cdn/shoal/internal/lab/cluster"
	"github.com/shoal-cdn/shoal/internal/lab/linkem"
	napi "github.com/shoal-cdn/shoal/node/api"
	"github.com/shoal-cdn/shoal/node/peerbook"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// wholeAgain is how long a tracker may take, from its restart, to know again who
// is up and who holds what (B4): 10 s, of which nodes take 6 at most, as node/announce's
// TestTrackerReturns makes sure, and as much again for machines that are busy.
const wholeAgain = 20 * time.Second

// twoCarriers is a lab with a line between two carriers. The tracker and an origin
// are in the first; each has two nodes more.
type twoCarriers struct {
	*world
	other *lab.Carrier
	east  []*cluster.Node // of the first carrier, without the origin
	west  []*cluster.Node
}

func newTwoCarriers(t *testing.T, rate shoal.Rate, args ...string) *twoCarriers {
	t.Helper()
	w := eastWest(t, someLine(rate), someLine(rate))
	w.populate(rate, args...)
	return w
}

// someLine is a line between carriers, each way.
func someLine(rate shoal.Rate) linkem.Config {
	return linkem.Config{Rate: rate, Delay: 10 * time.Millisecond, Loss: 0.001, Seed: 1}
}

// populate starts an origin and two more nodes in the first carrier, and two in the other.
func (w *twoCarriers) populate(rate shoal.Rate, args ...string) {
	w.t.Helper()
	w.origin = w.in(w.carrier, "origin", rate, args...)
	for i := range 2 {
		w.east = append(w.east, w.in(w.carrier, fmt.Sprint("east", i), rate, args...))
		w.west = append(w.west, w.in(w.other, fmt.Sprint("west", i), rate, args...))
	}
	w.nodes = slices.Concat(w.east, w.west)
}

// eastWest is two carriers and what the line between them is like each way, with a
// tracker in the first, of which args are further flags.
func eastWest(t *testing.T, there, back linkem.Config, args ...string) *twoCarriers {
	t.Helper()
	w := &twoCarriers{world: emptyWorld(t)}
	var err error
	w.carrier, err = w.lab.AddCarrier("east")
	must(t, err)
	w.other, err = w.lab.AddCarrier("west")
	must(t, err)
	_, err = w.lab.Connect(w.carrier, w.other, there, back)
	must(t, err)
	w.tracker, err = w.cluster.StartTracker(t.Context(), w.host("tracker", 0), args...)
	must(t, err)
	return w
}

// in starts a node in a carrier.
func (w *twoCarriers) in(c *lab.Carrier, name string, rate shoal.Rate, args ...string) *cluster.Node {
	w.t.Helper()
	h, err := w.lab.AddHost(name, lab.HostConfig{Carrier: c, Up: rate, Down: rate})
	must(w.t, err)
	n, err := w.cluster.StartNode(w.t.Context(), h, cluster.NodeConfig{
		Trackers: []string{w.tracker.URL}, Up: rate, Down: rate, Locality: shoal.Locality{Carrier: c.Name()}, Args: args,
	})
	must(w.t, err)
	w.awaitSession(n)
	return n
}

// create creates a task for all nodes but the origin, and does not wait.
func (w *world) create(ctx context.Context, id shoal.ContentID) (task tapi.Task) {
	w.t.Helper()
	names := ""
	for i, n := range w.nodes {
		if i > 0 {
			names += ","
		}
		names += n.Name()
	}
	must(w.t, w.cluster.Command(ctx, w.tracker.Host(), &task, "task", "create", id.String(), "--tracker", w.tracker.URL, "--nodes", names, "--json"))
	return task
}

// waitComplete waits until a node has published a content.
func waitComplete(ctx context.Context, t *testing.T, n *cluster.Node, id shoal.ContentID) {
	t.Helper()
	for {
		c, err := n.Content(ctx, id)
		if err == nil && c.Role == tapi.Holder {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s holds %d of %d pieces: %v", n.Name(), c.PiecesHeld, c.Pieces, errors.Join(err, ctx.Err()))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// picture is what the tracker's commands say.
type picture struct {
	Nodes   []tapi.Node
	Content tapi.Content
	Task    tapi.Task
}

func (w *world) picture(ctx context.Context, task string) (p picture) {
	w.t.Helper()
	var contents []tapi.Content
	ask := func(v any, args ...string) {
		args = append(args, "--tracker", w.tracker.URL, "--json")
		must(w.t, w.cluster.Command(ctx, w.tracker.Host(), v, args...))
	}
	ask(&p.Nodes, "nodes")
	ask(&contents, "contents")
	ask(&p.Task, "task", "show", task)
	if i := slices.IndexFunc(contents, func(c tapi.Content) bool { return c.ID == p.Task.Content }); i >= 0 {
		p.Content = contents[i]
	}
	return p
}

// whole reports whether the tracker knows that all nodes are up, and that so many, the origin
// among them, have their part in the content.
func (p picture) whole(nodes int) bool {
	parts := 0
	for _, n := range p.Nodes {
		if !n.Alive {
			return false
		}
		parts += n.Contents
	}
	return parts == nodes && p.Content.Origins == 1 && p.Content.Holders+p.Content.Fetchers == nodes
}

// restart starts the tracker again and waits until its picture is whole; it says
// how long that took.
func (w *world) restart(ctx context.Context, task string, enough func(picture) bool) (picture, time.Duration) {
	w.t.Helper()
	begun := time.Now()
	must(w.t, w.tracker.Restart(ctx))
	for {
		p := w.picture(ctx, task)
		if took := time.Since(begun); enough(p) {
			return p, took
		} else if took > patience {
			w.t.Fatalf("after %v the tracker's picture is %+v", took, p)
		}
	}
}

// acceptedOnce makes sure that no node took the task on twice.
func (w *world) acceptedOnce(task string) {
	w.t.Helper()
	for _, n := range w.nodes {
		times := 0
		for line := range strings.Lines(logOf(w.t, n)) {
			if strings.Contains(line, "task accepted") && strings.Contains(line, task) {
				times++
			}
		}
		if times != 1 {
			w.t.Errorf("%s took the task on %d times", n.Name(), times)
		}
	}
}

// The tracker of two carriers is killed at half way: everybody completes, also a
// node across that is killed and started again meanwhile. Once the tracker is back
// it knows all of it within 10 s, and that the task has succeeded (B4).
func TestTrackerGone(t *testing.T) {
	t.Parallel()
	const rate = 40 * mbit
	w := newTwoCarriers(t, rate)
	source, id := seedFile(t, w.origin, "file.bin", 2*fileSize, 41)
	ctx := within(t, patience)
	task := w.create(ctx, id)
	waitPieces(ctx, t, w.west[0], id, 0.5)
	must(t, w.tracker.Kill())
	must(t, w.west[1].Kill())
	must(t, w.west[1].Restart(ctx))
	gone := time.Now()
	for _, n := range w.nodes {
		waitComplete(ctx, t, n, id)
		sameFile(t, source, n)
	}
	t.Logf("all complete %.1f s after the tracker was killed", time.Since(gone).Seconds())

	p, took := w.restart(ctx, task.ID, func(p picture) bool { return p.whole(5) && p.Task.State == tapi.Succeeded })
	t.Logf("the tracker's picture is whole %.1f s after its restart", took.Seconds())
	if took > wholeAgain {
		t.Errorf("the picture took %v", took)
	}
	if p.Content.Holders != 5 {
		t.Errorf("%d holders, want 5", p.Content.Holders)
	}
	w.acceptedOnce(task.ID)
}

// The tracker's machine loses its power, and with it what was not on the disk. A node that has nothing to say, and waits for
// its answer, notices that it has vanished without a word, and not only when it would have given up waiting. Once the tracker
// is back its picture is whole within 10 s, the task that had ended included (B4).
func TestTrackerPowerCut(t *testing.T) {
	t.Parallel()
	const rate = 80 * mbit
	d := newDisk(t, 64<<20)
	w := eastWest(t, someLine(rate), someLine(rate), "--data", d.dir)
	idle := w.in(w.other, "idle", rate)
	w.populate(rate)
	_, id := seedFile(t, w.origin, "file.bin", fileSize/4, 45)
	ctx := within(t, patience)
	task := w.create(ctx, id)
	for _, n := range w.nodes {
		waitComplete(ctx, t, n, id)
	}
	whole := func(p picture) bool { return p.Task.State == tapi.Succeeded && p.whole(5) }
	for !whole(w.picture(ctx, task.ID)) {
		must(t, ctx.Err())
	}
	before := len(logOf(t, idle))
	nft(t, w.tracker.Host(), "add table ip cut; add chain ip cut in { type filter hook input priority 0; policy drop; };"+
		" add chain ip cut out { type filter hook output priority 0; policy drop; }")
	must(t, w.tracker.Kill())
	d.cutPower()
	// What TCP itself says; an announce that is given up has exceeded its deadline.
	if said := awaitLog(t, idle, before, "no tracker answers"); !strings.Contains(said, "connection timed out") {
		t.Errorf("the idle node noticed it otherwise: %s", said)
	}
	nft(t, w.tracker.Host(), "delete table ip cut")
	_, took := w.restart(ctx, task.ID, whole)
	t.Logf("the tracker's picture is whole %.1f s after its restart", took.Seconds())
	if took > wholeAgain {
		t.Errorf("the picture took %v", took)
	}
	w.acceptedOnce(task.ID)
}

// A tracker that comes back in mid-transfer knows who fetches within 10 s; the task
// goes on as if nothing had been, and is given to nobody twice (B4).
func TestTrackerBackHalfWay(t *testing.T) {
	t.Parallel()
	const rate = 20 * mbit
	w := newTwoCarriers(t, rate)
	source, id := seedFile(t, w.origin, "file.bin", 2*fileSize, 42)
	ctx := within(t, patience)
	task := w.create(ctx, id)
	waitPieces(ctx, t, w.west[0], id, 0.2)
	must(t, w.tracker.Kill())
	waitPieces(ctx, t, w.west[0], id, 0.4)
	p, took := w.restart(ctx, task.ID, func(p picture) bool { return p.whole(5) })
	t.Logf("the tracker's picture is whole %.1f s after its restart, with %d fetching", took.Seconds(), p.Content.Fetchers)
	if took > wholeAgain {
		t.Errorf("the picture took %v", took)
	}
	if p.Content.Fetchers == 0 {
		t.Log("all were done by then: the restart was no test; make -shoal.size larger")
	}
	for p.Task.State == tapi.Running || p.Task.State == tapi.Pending {
		if ctx.Err() != nil {
			t.Fatal(ctx.Err())
		}
		p = w.picture(ctx, task.ID)
	}
	if p.Task.State != tapi.Succeeded {
		t.Errorf("the task %s", p.Task.State)
	}
	for _, n := range w.nodes {
		sameFile(t, source, n)
	}
	w.acceptedOnce(task.ID)
}

// A node starts again without a tracker, and knows one other only, which has no
// part in the content: it finds the origin, which is across and dials nobody, in the
// DHT (B4).
func TestDHTWithoutTracker(t *testing.T) {
	t.Parallel()
	const rate = 40 * mbit
	w := newTwoCarriers(t, rate)
	ctx := within(t, patience)
	bystander, seeker := w.west[0], w.west[1]
	_, other := seedFile(t, w.origin, "other.bin", 1<<20, 44)
	w.distribute(ctx, other, bystander.Name()) // so that somebody knows it

	source, id := seedFile(t, w.origin, "file.bin", fileSize, 43)
	w.nodes = []*cluster.Node{seeker}
	task := w.create(ctx, id)
	waitPieces(ctx, t, seeker, id, 0.3)
	must(t, w.tracker.Kill())
	must(t, seeker.Kill())
	writeBook(ctx, t, seeker, bystander)
	begun := time.Now()
	must(t, seeker.Restart(ctx))
	waitComplete(ctx, t, seeker, id)
	t.Logf("complete %.1f s after the restart", time.Since(begun).Seconds())
	sameFile(t, source, seeker)
	_, took := w.restart(ctx, task.ID, func(p picture) bool { return p.Task.State == tapi.Succeeded })
	t.Logf("the task has succeeded %.1f s after the tracker's restart", took.Seconds())
}

// writeBook has a node that does not run know one other, and nobody else.
func writeBook(ctx context.Context, t *testing.T, n, other *cluster.Node) {
	t.Helper()
	var status napi.Status
	must(t, other.Get(ctx, "/v1/status", &status))
	book, err := json.Marshal(map[string]any{"version": 1, "peers": []peerbook.Entry{{
		ID: status.Node.ID, Name: status.Node.Name, Addrs: status.Node.Addrs, Locality: status.Node.Locality, Seen: time.Now(),
	}}})
	must(t, err)
	must(t, os.WriteFile(filepath.Join(n.Dir, "peers.json"), book, 0o600))
}
