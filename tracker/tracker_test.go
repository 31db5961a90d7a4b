package tracker

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// content makes a manifest of some bytes; it does so outside a bubble.
func content(t *testing.T, fill byte) *shoal.Manifest {
	t.Helper()
	file := filepath.Join(t.TempDir(), "file.bin")
	if err := os.WriteFile(file, bytes.Repeat([]byte{fill}, 100_000), 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := shoal.BuildManifest(t.Context(), file, shoal.BuildOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func holding(m *shoal.Manifest, role api.Role) []api.Holding {
	h := api.Holding{Content: m.ID(), Role: role, Pieces: shoal.Pieces{Total: m.NumPieces()}}
	if role != api.Fetcher {
		h.Pieces.Count = h.Pieces.Total
	}
	return []api.Holding{h}
}

// saveBy has the tracker save its tasks otherwise.
func (f *fixture) saveBy(save func(context.Context) error) {
	f.tracker.saver.mu.Lock()
	defer f.tracker.saver.mu.Unlock()
	f.tracker.saver.save = save
}

// must returns v where err is nil.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestDistribution: M2, M4, M11 and B2 over HTTP, from the registration of a
// content to the end of its task.
func TestDistribution(t *testing.T) {
	m := content(t, 1)
	bubble(t, func(t *testing.T, f *fixture) {
		c := must(f.client.PutContent(t.Context(), m.Torrent()))
		if again := must(f.client.PutContent(t.Context(), m.Torrent())); !reflect.DeepEqual(again, c) || c.ID != m.ID() || c.Pieces != m.NumPieces() || c.Size != 100_000 {
			t.Errorf("content %+v, again %+v", c, again)
		}
		if torrent := must(f.client.Torrent(t.Context(), m.ID())); !bytes.Equal(torrent, m.Torrent()) {
			t.Error("the torrent comes back changed")
		}
		origin, edge := f.node("origin"), f.node("edge")
		origin.a.Holdings = holding(m, api.Origin)
		origin.say(0)
		edge.say(0)
		if l := must(f.client.Contents(t.Context())); len(l) != 1 || l[0].Origins != 1 || l[0].Holders != 1 || l[0].Fetchers != 0 {
			t.Errorf("contents %+v", l)
		}

		// The edge's answer is held back until there is a task for it.
		answered := make(chan api.Reply, 1)
		go func() { answered <- edge.say(20 * time.Second) }()
		time.Sleep(5 * time.Second)
		task := must(f.client.CreateTask(t.Context(), api.NewTask{Content: m.ID(), Nodes: []string{"edge"}, Dest: "a/b"}))
		created := time.Now()
		r := <-answered
		if time.Since(created) != 0 || len(r.SubTasks) != 1 || r.SubTasks[0] != (api.SubTaskOrder{Task: task.ID, Content: m.ID(), Dest: "a/b"}) {
			t.Fatalf("answered after %v: %+v", time.Since(created), r)
		}
		edge.a.Holdings = holding(m, api.Fetcher)
		r = edge.report(task.ID, api.Running)
		if p := r.Peers[m.ID()]; len(p) != 1 || p[0].Name != "origin" || p[0].Role != api.Origin || len(r.SubTasks) != 0 {
			t.Fatalf("peers %+v, orders %v", p, r.SubTasks)
		}

		// A watch returns when the task has changed.
		seen := must(f.client.Task(t.Context(), task.ID))
		watched := make(chan api.Task, 1)
		go func() { watched <- must(f.client.WatchTask(t.Context(), task.ID, seen.Version, 20*time.Second)) }()
		time.Sleep(time.Second)
		edge.a.Holdings = holding(m, api.Holder)
		edge.report(task.ID, api.Succeeded)
		done := <-watched
		if since := time.Since(created); since > 1500*time.Millisecond || done.State != api.Succeeded || done.Seconds != 1 {
			t.Errorf("watch returned after %v: %+v", since, done)
		}
		if done.Efficiency == nil || *done.Efficiency != 0.1 {
			t.Errorf("efficiency %v, want 100 kB over 1 MB/s in 1 s", done.Efficiency)
		}
		if l := must(f.client.Tasks(t.Context(), "", api.MaxPage)); len(l) != 1 || l[0].State != api.Succeeded || l[0].Nodes != nil || l[0].Counts[api.Succeeded] != 1 {
			t.Errorf("tasks %+v", l)
		}
		// What is over is watched without waiting.
		begun := time.Now()
		must(f.client.WatchTask(t.Context(), task.ID, done.Version, 20*time.Second))
		if time.Since(begun) != 0 {
			t.Error("a watch waits for what is over")
		}
	})
}

func TestHeldAnnounce(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		n := f.node("n")
		n.say(0)
		begun := time.Now()
		n.say(time.Hour)
		// No deadline for the request's body or headers cuts it short.
		if d := time.Since(begun); d != api.MaxWait {
			t.Errorf("held for %v, want %v", d, api.MaxWait)
		}
		// A newer announce releases the older one.
		older := make(chan api.Reply, 1)
		first := n.a
		first.Seq++
		first.Wait = 20
		go func() { older <- must(f.client.Announce(t.Context(), first)) }()
		time.Sleep(time.Second)
		n.a.Seq++
		n.say(0)
		begun = time.Now()
		if r := <-older; time.Since(begun) != 0 || r.Cursor != first.Cursor || r.Resync {
			t.Errorf("released after %v: %+v", time.Since(begun), r)
		}
		// Those held back are answered when the tracker stops.
		go func() { older <- n.say(20 * time.Second) }()
		time.Sleep(time.Second)
		begun = time.Now()
		f.stop()
		if <-older; time.Since(begun) > time.Second {
			t.Errorf("stopping took %v", time.Since(begun))
		}
	})
}

func TestDeadNode(t *testing.T) {
	m := content(t, 2)
	bubble(t, func(t *testing.T, f *fixture) {
		must(f.client.PutContent(t.Context(), m.Torrent()))
		n := f.node("n")
		n.a.Holdings = holding(m, api.Origin)
		n.say(0)
		task := must(f.client.CreateTask(t.Context(), api.NewTask{Content: m.ID(), Nodes: []string{api.AllNodes}}))
		n.report(task.ID, api.Running)
		last := time.Now()
		time.Sleep(29 * time.Second)
		if l := must(f.client.Nodes(t.Context())); !l[0].Alive {
			t.Error("dead before three intervals have passed")
		}
		time.Sleep(3 * time.Second)
		if l := must(f.client.Nodes(t.Context())); l[0].Alive || !l[0].Seen.Equal(last) {
			t.Errorf("not dead after more than three: %+v", l)
		}
		if _, err := f.client.CreateTask(t.Context(), api.NewTask{Content: m.ID(), Nodes: []string{"n"}}); !errors.Is(err, shoal.ErrNotFound) || !strings.Contains(err.Error(), `not alive: "n"`) {
			t.Errorf("task for a dead node: %v", err)
		}
		time.Sleep(9 * time.Minute)
		if got := must(f.client.Task(t.Context(), task.ID)); got.State != api.Running {
			t.Errorf("given up too soon: %s", got.State)
		}
		time.Sleep(time.Minute)
		got := must(f.client.Task(t.Context(), task.ID))
		if got.State != api.Failed || !strings.HasPrefix(got.Nodes[0].Error, "node unreachable since ") {
			t.Errorf("after the node timeout: %+v", got)
		}
		// The node returns after the task has long left the tracker's memory.
		if r := n.say(0); !r.Resync {
			t.Fatal("no resync")
		}
		n.a.Full = true
		n.report(task.ID, api.Succeeded)
		if got := must(f.client.Task(t.Context(), task.ID)); got.State != api.Succeeded {
			t.Errorf("late success: %+v", got)
		}
	})
}

func TestCancel(t *testing.T) {
	m := content(t, 3)
	bubble(t, func(t *testing.T, f *fixture) {
		must(f.client.PutContent(t.Context(), m.Torrent()))
		n := f.node("n")
		n.say(0)
		task := must(f.client.CreateTask(t.Context(), api.NewTask{Content: m.ID(), Nodes: []string{"n"}}))
		n.report(task.ID, api.Running)
		answered := make(chan api.Reply, 1)
		go func() { answered <- n.say(20 * time.Second) }()
		time.Sleep(time.Second)
		if got := must(f.client.CancelTask(t.Context(), task.ID)); got.State != api.Running {
			t.Errorf("cancelled before the node gave up: %s", got.State)
		}
		if r := <-answered; len(r.SubTasks) != 1 || !r.SubTasks[0].Cancel {
			t.Fatalf("orders %+v", r.SubTasks)
		}
		n.report(task.ID, api.Cancelled)
		if got := must(f.client.CancelTask(t.Context(), task.ID)); got.State != api.Cancelled {
			t.Errorf("state %s", got.State)
		}
	})
}

// TestRestart: B4, a tracker that dies loses no task, and nodes announce in
// full to the next one.
func TestRestart(t *testing.T) {
	m := content(t, 4)
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		f := serve(t, dir)
		must(f.client.PutContent(t.Context(), m.Torrent()))
		a, b := f.node("a"), f.node("b")
		a.a.Holdings = holding(m, api.Origin)
		a.say(0)
		b.say(0)
		task := must(f.client.CreateTask(t.Context(), api.NewTask{Content: m.ID(), Nodes: []string{"a", "b"}}))
		a.report(task.ID, api.Succeeded)
		b.report(task.ID, api.Running)
		// Killed: what is only in memory is gone. Another connection sees what is in the file.
		f.saveBy(func(context.Context) error { return nil })
		f.stop()

		time.Sleep(20 * time.Second)
		f = serve(t, dir)
		defer f.stop()
		a.fixture, b.fixture = f, f
		got := must(f.client.Task(t.Context(), task.ID))
		if got.State != api.Running || got.Counts[api.Succeeded] != 1 || got.Counts[api.Running] != 1 {
			t.Fatalf("after the restart: %+v", got)
		}
		if l := must(f.client.Nodes(t.Context())); len(l) != 2 || l[0].Alive {
			t.Errorf("nodes %+v", l)
		}
		if r := b.say(20 * time.Second); !r.Resync || r.SubTasks != nil {
			t.Fatalf("an old session: %+v", r)
		}
		b.a.Full, b.a.Holdings = true, holding(m, api.Fetcher)
		if r := b.say(0); len(r.SubTasks) != 1 || r.SubTasks[0].Task != task.ID {
			t.Fatalf("the order isn't repeated: %+v", r)
		}
		b.report(task.ID, api.Running)
		// The origin's return is news for who fetches.
		answered := make(chan api.Reply, 1)
		go func() { answered <- b.say(20 * time.Second) }()
		time.Sleep(time.Second)
		a.a.Full, a.a.Holdings = true, holding(m, api.Origin)
		a.say(0)
		if r := <-answered; len(r.Peers[m.ID()]) != 1 {
			t.Fatalf("peers %+v", r)
		}
		b.report(task.ID, api.Succeeded)
		if got := must(f.client.Task(t.Context(), task.ID)); got.State != api.Succeeded {
			t.Errorf("in the end: %+v", got)
		}
	})
}

func TestRepeatedCreateTask(t *testing.T) {
	m := content(t, 5)
	bubble(t, func(t *testing.T, f *fixture) {
		must(f.client.PutContent(t.Context(), m.Torrent()))
		f.node("n").say(0)
		req := api.NewTask{ID: "mine", Content: m.ID(), Nodes: []string{"n"}}
		must(f.client.CreateTask(t.Context(), req))
		if again := must(f.client.CreateTask(t.Context(), req)); again.ID != "mine" {
			t.Errorf("%+v", again)
		}
		if l := must(f.client.Tasks(t.Context(), "", api.MaxPage)); len(l) != 1 {
			t.Errorf("%d tasks", len(l))
		}
		req.Dest = "elsewhere"
		if _, err := f.client.CreateTask(t.Context(), req); !errors.Is(err, shoal.ErrConflict) {
			t.Errorf("another task of the same ID: %v", err)
		}
		req.Dest = ""
		five := api.Priority(5)
		must(f.client.ChangeTask(t.Context(), "mine", api.TaskChange{Priority: &five}))
		if again, err := f.client.CreateTask(t.Context(), req); err != nil || again.Priority != 5 {
			t.Errorf("repeated after its priority was changed: %+v, %v", again, err)
		}
	})
}

// A task's priority reaches its nodes, and what its nodes queue is seen to be.
func TestPriority(t *testing.T) {
	m := content(t, 6)
	bubble(t, func(t *testing.T, f *fixture) {
		must(f.client.PutContent(t.Context(), m.Torrent()))
		n := f.node("n")
		n.say(0)
		task := must(f.client.CreateTask(t.Context(), api.NewTask{Content: m.ID(), Nodes: []string{"n"}, Priority: 7}))
		if r := n.say(0); len(r.SubTasks) != 1 || r.SubTasks[0].Priority != 7 {
			t.Fatalf("orders %+v", r.SubTasks)
		}
		if got := must(f.client.Task(t.Context(), task.ID)).Nodes[0]; got.Queued || got.Why.Queued != 0 {
			t.Errorf("before the node has said so: %+v", got)
		}
		n.a.SubTasks = []api.SubTaskReport{{Task: task.ID, State: api.Pending, Priority: 7}}
		if r := n.say(0); len(r.SubTasks) != 0 {
			t.Errorf("an order that waits is repeated: %+v", r.SubTasks)
		}
		time.Sleep(10 * time.Second)
		got := must(f.client.Task(t.Context(), task.ID))
		if s := got.Nodes[0]; got.Priority != 7 || got.State != api.Pending || !s.Queued || s.Seconds != 10 || s.Why.Queued != 10 {
			t.Errorf("queued: %+v", got)
		}
		n.report(task.ID, api.Running)
		if s := must(f.client.Task(t.Context(), task.ID)).Nodes[0]; s.Queued || s.State != api.Running {
			t.Errorf("running: %+v", s)
		}
		if l := must(f.client.Tasks(t.Context(), "", 1)); len(l) != 1 || l[0].Priority != 7 {
			t.Errorf("listed: %+v", l)
		}
	})
}

// What is asked of a task that is in the database and not yet in the engine is done all the same.
func TestChangeWhileCreated(t *testing.T) {
	m := content(t, 8)
	bubble(t, func(t *testing.T, f *fixture) {
		must(f.client.PutContent(t.Context(), m.Torrent()))
		f.node("n").say(0)
		create := func(id string) {
			task := must(f.tracker.prepareTask(t.Context(), time.Now(), api.NewTask{ID: id, Content: m.ID(), Nodes: []string{"n"}}))
			if err := f.tracker.db.CreateTask(t.Context(), task); err != nil {
				t.Fatal(err)
			}
		}
		create("moved")
		if got, err := f.client.ChangeTask(t.Context(), "moved", api.TaskChange{Priority: new(api.Priority(5))}); err != nil || got.Priority != 5 {
			t.Errorf("%+v, %v", got, err)
		}
		if saved := must(f.tracker.db.Task(t.Context(), "moved")); saved.Priority != 5 {
			t.Errorf("saved: %+v", saved)
		}
		create("given-up")
		must(f.client.CancelTask(t.Context(), "given-up"))
		if saved := must(f.tracker.db.Task(t.Context(), "given-up")); !saved.Nodes[0].Cancel {
			t.Errorf("saved: %+v", saved)
		}
	})
}

// M11: a task's priority can be changed while it is open; that is durable, and its nodes hear of it at once.
func TestChangePriority(t *testing.T) {
	m := content(t, 7)
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		f := serve(t, dir)
		must(f.client.PutContent(t.Context(), m.Torrent()))
		n := f.node("n")
		n.say(0)
		task := must(f.client.CreateTask(t.Context(), api.NewTask{Content: m.ID(), Nodes: []string{"n"}}))
		n.report(task.ID, api.Pending)
		answered := make(chan api.Reply, 1)
		go func() { answered <- n.say(20 * time.Second) }()
		time.Sleep(time.Second)
		set := func(p api.Priority) (api.Task, error) {
			return f.client.ChangeTask(t.Context(), task.ID, api.TaskChange{Priority: &p})
		}
		if got, err := set(7); err != nil || got.Priority != 7 || got.State != api.Pending {
			t.Fatalf("%+v, %v", got, err)
		}
		changed := time.Now()
		if r := <-answered; time.Since(changed) != 0 || len(r.SubTasks) != 1 || r.SubTasks[0].Priority != 7 {
			t.Fatalf("answered after %v: %+v", time.Since(changed), r.SubTasks)
		}
		n.a.SubTasks = []api.SubTaskReport{{Task: task.ID, State: api.Pending, Priority: 7}}
		n.say(0)
		go func() { answered <- n.say(20 * time.Second) }()
		time.Sleep(time.Second)
		f.saveBy(func(context.Context) error { return shoal.ErrUnavailable })
		if _, err := f.tracker.changeTask(t.Context(), time.Now(), task.ID, api.TaskChange{Priority: new(api.Priority(6))}); !errors.Is(err, shoal.ErrUnavailable) {
			t.Errorf("what is not durable: %v", err)
		}
		f.saveBy(f.tracker.saveTasks)
		if got, err := set(6); err != nil || got.Priority != 6 {
			t.Errorf("repeated: %+v, %v", got, err)
		}
		changed = time.Now()
		if r := <-answered; time.Since(changed) != 0 || len(r.SubTasks) != 1 || r.SubTasks[0].Priority != 6 {
			t.Errorf("repeated, answered after %v: %+v", time.Since(changed), r.SubTasks)
		}
		for _, bad := range []api.TaskChange{{}, {Priority: new(api.MaxPriority + 1)}} {
			if _, err := f.client.ChangeTask(t.Context(), task.ID, bad); !errors.Is(err, shoal.ErrInvalid) {
				t.Errorf("%+v: %v", bad, err)
			}
		}
		f.saveBy(func(context.Context) error { return nil }) // killed
		f.stop()

		f = serve(t, dir)
		defer f.stop()
		n.fixture = f
		if got := must(f.client.Task(t.Context(), task.ID)); got.Priority != 6 {
			t.Errorf("after the restart: %+v", got)
		}
		n.a.Full = true
		n.report(task.ID, api.Succeeded)
		if _, err := set(8); !errors.Is(err, shoal.ErrConflict) {
			t.Errorf("of a task that is over: %v", err)
		}
		task.ID = "none"
		if _, err := set(8); !errors.Is(err, shoal.ErrNotFound) {
			t.Errorf("of no task: %v", err)
		}
	})
}
