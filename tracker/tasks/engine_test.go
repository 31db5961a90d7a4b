package tasks

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

var t0 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

const timeout = 10 * time.Minute

// newEngine has task "t" for nodes a and b (IDs ida, idb), all rates 100
// bytes/s; the origin o has all of its 1,000 bytes in 8 pieces.
func newEngine() *Engine {
	info := func(name string) api.NodeInfo {
		return api.NodeInfo{ID: shoal.NodeID("id" + name), Name: name, Up: 100, Down: 100}
	}
	e := NewEngine(timeout)
	e.Add(New(t0, api.NewTask{ID: "t", Dest: "d"}, api.Content{ID: shoal.ContentID{1}, Name: "c", Size: 1000, Pieces: 8},
		[]api.NodeInfo{info("b"), info("a")}, []api.NodeInfo{info("o")}))
	return e
}

// say makes reports written "NODE=STATE…", a second apart, starting after t0.
func say(e *Engine, now time.Time, words string) (unknown int, unsaved bool) {
	for w := range strings.FieldsSeq(words) {
		node, state, _ := strings.Cut(w, "=")
		now = now.Add(time.Second)
		u, un := e.Report(now, shoal.NodeID("id"+node), []api.SubTaskReport{{Task: "t", State: api.State(state), Pieces: 99}})
		unknown, unsaved = unknown+len(u), un
	}
	return unknown, unsaved
}

func summary(t api.Task) string {
	s := string(t.State)
	for _, n := range t.Nodes {
		s += fmt.Sprintf(" %s=%s", n.Node, n.State)
	}
	return s
}

func get(t *testing.T, e *Engine, now time.Time) api.Task {
	t.Helper()
	task, _, ok := e.Get(now, "t")
	if !ok {
		t.Fatal("the engine doesn't hold the task")
	}
	return task
}

// TestReports: M11, states follow reports, which may repeat and come late.
func TestReports(t *testing.T) {
	for _, tt := range []struct{ reports, want string }{
		{"", "pending a=pending b=pending"},
		{"a=pending", "pending a=pending b=pending"},
		{"a=running", "running a=running b=pending"},
		{"a=running a=pending", "running a=running b=pending"},
		{"a=succeeded", "running a=succeeded b=pending"},
		{"a=succeeded a=running a=failed", "running a=succeeded b=pending"},
		{"a=running b=running a=succeeded b=succeeded b=succeeded", "succeeded a=succeeded b=succeeded"},
		{"a=failed b=succeeded", "failed a=failed b=succeeded"},
		{"a=failed b=succeeded a=succeeded", "failed a=failed b=succeeded"},
		{"a=cancelled b=succeeded", "cancelled a=cancelled b=succeeded"},
		{"a=cancelled b=failed", "failed a=cancelled b=failed"},
		{"stranger=succeeded", "pending a=pending b=pending"},
	} {
		e := newEngine()
		say(e, t0, tt.reports)
		if got := summary(get(t, e, t0)); got != tt.want {
			t.Errorf("%q: %s, want %s", tt.reports, got, tt.want)
		}
	}
	e := newEngine()
	say(e, t0, "a=running")
	if p := get(t, e, t0).Nodes[0].Pieces; p != 8 {
		t.Errorf("a node claims 99 of 8 pieces: %d", p)
	}
}

// TestBoundOfWebSeeds: B2, a web seed is an origin whose rate only the limits tell.
func TestBoundOfWebSeeds(t *testing.T) {
	c := api.Content{Size: 1000, WebSeeds: []string{"http://x/"}}
	node := []api.NodeInfo{{ID: "ida", Name: "a", Up: 100, Down: 100}}
	for _, tt := range []struct {
		rate shoal.Rate
		want string
	}{{0, "unknown"}, {50, "20"}, {500, "10"}} {
		got := "unknown"
		if b := New(t0, api.NewTask{Limits: api.Limits{EgressRate: tt.rate}}, c, node, nil).Bound; b != nil {
			got = fmt.Sprint(*b)
		}
		if got != tt.want {
			t.Errorf("at %d bytes/s: bound %s, want %s", tt.rate, got, tt.want)
		}
	}
}

// TestWhy: B2, a node's account of its time and its bytes by source are shown
// as it last said, and the task's limits to whom they matter.
func TestWhy(t *testing.T) {
	e := newEngine()
	limits := api.Limits{EgressCopies: 2}
	e.Add(New(t0, api.NewTask{ID: "u", Limits: limits}, api.Content{ID: shoal.ContentID{1}}, []api.NodeInfo{{ID: "ida", Name: "a"}}, nil))
	r := api.SubTaskReport{Task: "u", State: api.Running, Why: api.Why{Active: 1, Lease: 0.5}, Bytes: api.Bytes{Upstream: 9}}
	e.Report(t0, "ida", []api.SubTaskReport{r})
	r.Why.Lease = 2.5 // nothing else has changed
	e.Report(t0, "ida", []api.SubTaskReport{r})
	out, _, _ := e.Get(t0, "u")
	if n := out.Nodes[0]; n.Why != r.Why || n.Bytes != r.Bytes || out.Version != 3 || out.Limits.EgressCopies != 2 {
		t.Errorf("%+v", out)
	}
	for _, tt := range []struct {
		task    string
		content byte
		copies  float64
	}{{"u", 1, 2}, {"u", 2, 0}, {"t", 1, 0}, {"none", 1, 0}} {
		if l := e.Limits(tt.task, shoal.ContentID{tt.content}); l.EgressCopies != tt.copies {
			t.Errorf("limits of %+v: %+v", tt, l)
		}
	}
}

// TestEfficiency: B2, the bound over the time until the last success.
func TestEfficiency(t *testing.T) {
	e := newEngine()
	say(e, t0.Add(9*time.Second), "a=succeeded")
	if task := get(t, e, t0.Add(15*time.Second)); task.Efficiency != nil || task.Seconds != 15 {
		t.Errorf("while it runs: %v after %v s", task.Efficiency, task.Seconds)
	}
	say(e, t0.Add(19*time.Second), "b=succeeded")
	task := get(t, e, t0.Add(time.Hour))
	if task.Seconds != 20 || task.Efficiency == nil || *task.Efficiency != 10./20 {
		t.Errorf("%v after %v s, want 0.5 after 20", task.Efficiency, task.Seconds)
	}
}

func TestNewCountsWhoHasItAsOrigin(t *testing.T) {
	a := api.NodeInfo{ID: "a", Name: "a", Up: 10, Down: 10}
	b := api.NodeInfo{ID: "b", Name: "b", Up: 10, Down: 10}
	c := api.Content{Size: 100}
	if task := New(t0, api.NewTask{}, c, []api.NodeInfo{a, b}, []api.NodeInfo{a}); *task.Bound != 10 || len(task.Nodes) != 2 {
		t.Errorf("bound %v for %d nodes", *task.Bound, len(task.Nodes))
	}
	if task := New(t0, api.NewTask{}, c, []api.NodeInfo{a}, []api.NodeInfo{a}); task.Bound != nil {
		t.Errorf("bound %v though nobody has to fetch", *task.Bound)
	}
}

func orders(e *Engine, node shoal.NodeID) string {
	var list []string
	for _, o := range e.Orders(node) {
		list = append(list, fmt.Sprint(o.Task, " ", o.Dest, " ", o.Cancel))
	}
	return strings.Join(list, ";")
}

// Orders say their priority; their list is in the order of age, which a node goes by
// among equals.
func TestOrdersSayPriority(t *testing.T) {
	a := []api.NodeInfo{{ID: "ida", Name: "a"}}
	e := NewEngine(time.Minute)
	for i, p := range []api.Priority{0, -5, 10} {
		e.Add(New(t0.Add(time.Duration(i)), api.NewTask{ID: fmt.Sprint(i), Priority: p}, api.Content{}, a, nil))
	}
	got := e.Orders("ida")
	if len(got) != 3 || got[0].Priority != 0 || got[1].Priority != -5 || got[2].Priority != 10 {
		t.Errorf("%+v", got)
	}
}

// What a node has queued is told from what no node has heard of; the time goes on while the
// node says nothing.
func TestQueued(t *testing.T) {
	e := newEngine()
	for after, seconds := range map[time.Duration]float64{10: 9, 12: 11, 5: 1e300, -30: 60} {
		e.Report(t0.Add(after*time.Second), "ida", []api.SubTaskReport{{Task: "t", State: api.Pending, Seconds: seconds, Why: api.Why{Queued: seconds}}})
		e.Restarted("ida")
		task := get(t, e, t0.Add(21*time.Second))
		want := 20.0
		switch {
		case seconds > 1000:
			want = 21 // not before the task was there
		case after < 0:
			want = 51 // the clock was set back: what was before is not known, and not negative
		}
		if a, b := task.Nodes[0], task.Nodes[1]; !a.Queued || a.Seconds != want || a.Why.Queued != want || b.Queued || b.Seconds != 0 {
			t.Errorf("%+v", task.Nodes)
		}
	}
	for _, tt := range []struct {
		reports string
		want    api.State
	}{
		{"a=running a=pending", api.Running}, // the last is late
		{"a=pending", api.Pending},           // a node that was restarted may put it off again
		{"a=pending a=running a=pending", api.Running},
		{"a=succeeded a=pending", api.Succeeded},
		{"a=pending", api.Succeeded},
	} {
		say(e, t0.Add(20*time.Second), tt.reports)
		if a := get(t, e, t0.Add(30*time.Second)).Nodes[0]; a.State != tt.want || a.Queued != (tt.want == api.Pending) {
			t.Errorf("%s: %+v", tt.reports, a)
		}
		e.Restarted("ida")
	}
}

// B2: one that had begun, and waits again after a restart, was queued for no more than it says and what has passed since.
func TestQueuedAgain(t *testing.T) {
	e := newEngine()
	say(e, t0, "a=running")
	e.Restarted("ida")
	r := api.SubTaskReport{Task: "t", State: api.Pending, Seconds: 50, Why: api.Why{Queued: 10, Active: 30, NoPeer: 10}}
	e.Report(t0.Add(time.Minute), "ida", []api.SubTaskReport{r})
	got := get(t, e, t0.Add(65*time.Second)).Nodes[0]
	if want := (api.Why{Queued: 15, Active: 30, NoPeer: 10}); !got.Queued || got.Seconds != 55 || got.Why != want {
		t.Errorf("%+v, want %+v of 55 s", got, want)
	}
}

// M11: another priority is told to nodes that have the task waiting, until they say that they have it.
func TestSetPriority(t *testing.T) {
	e := newEngine()
	report := func(node string, s api.State, p api.Priority) {
		e.Report(t0, shoal.NodeID("id"+node), []api.SubTaskReport{{Task: "t", State: s, Priority: p}})
	}
	report("a", api.Running, 0)
	report("b", api.Pending, 0)
	save(e)
	before := get(t, e, t0)
	for range 2 { // the first one's answer is that it could not be saved
		if nodes, err := e.SetPriority("t", 7); err != nil || len(nodes) != 1 || nodes[0] != "idb" {
			t.Fatalf("%v, %v; want b, which has it waiting", nodes, err)
		}
	}
	if now := get(t, e, t0); now.Priority != 7 || now.Version == before.Version {
		t.Errorf("%+v", now)
	}
	if c := save(e); len(c) != 1 || c[0].Priority != 7 || len(c[0].Nodes) != 0 {
		t.Errorf("to be saved: %+v", c)
	}
	report("b", api.Pending, 0) // it crossed the order
	if o := e.Orders("idb"); len(o) != 1 || o[0].Priority != 7 || o[0].Cancel {
		t.Fatalf("orders %+v", o)
	}
	report("b", api.Pending, 7)
	if o := append(e.Orders("ida"), e.Orders("idb")...); len(o) != 0 {
		t.Errorf("what is known, or has begun, is repeated: %+v", o)
	}
	if nodes, err := e.SetPriority("t", 7); err != nil || len(nodes) != 0 || len(e.Unsaved()) != 0 {
		t.Errorf("the same again: %v, %v", nodes, err)
	}
	if _, err := e.SetPriority("none", 1); !errors.Is(err, shoal.ErrNotFound) {
		t.Error(err)
	}
	say(e, t0, "a=succeeded b=succeeded")
	if _, err := e.SetPriority("t", 1); !errors.Is(err, shoal.ErrConflict) {
		t.Errorf("one that is over: %v", err)
	}
}

// A node that is alone in its task has nobody to share the way across carriers with.
func TestOrdersSayWhetherShared(t *testing.T) {
	a, b := api.NodeInfo{ID: "ida", Name: "a"}, api.NodeInfo{ID: "idb", Name: "b"}
	for _, to := range [][]api.NodeInfo{{a}, {a, b}} {
		e := NewEngine(time.Minute)
		e.Add(New(t0, api.NewTask{}, api.Content{}, to, nil))
		if got := e.Orders(a.ID); len(got) != 1 || got[0].Shared != (len(to) > 1) {
			t.Errorf("orders of a task to %d nodes: %+v", len(to), got)
		}
	}
}

func TestOrders(t *testing.T) {
	e := newEngine()
	check := func(when, want string) {
		t.Helper()
		if got := orders(e, "ida"); got != want {
			t.Errorf("%s: orders %q, want %q", when, got, want)
		}
	}
	check("new", "t d false")
	check("not yet accepted", "t d false")
	say(e, t0, "a=pending")
	check("accepted", "")
	e.Restarted("ida")
	check("node restarted", "t d false")
	say(e, t0, "a=running")
	check("accepted again", "")
	nodes, err := e.Cancel(t0, "t")
	if err != nil || len(nodes) != 2 {
		t.Fatal(nodes, err)
	}
	check("cancelled", "t d true")
	say(e, t0, "a=running")
	check("not yet given up", "t d true")
	say(e, t0, "a=cancelled")
	check("given up", "")
	if nodes, err := e.Cancel(t0, "t"); err != nil || len(nodes) != 1 || nodes[0] != "idb" {
		t.Errorf("cancelled twice: %v %v, want b, which may not have heard of it", nodes, err)
	}
	if orders(e, "idb") != "t d true" || orders(e, "idx") != "" {
		t.Error("orders of others")
	}
	// It ends before it hears of the cancellation.
	say(e, t0, "b=succeeded")
	if got := summary(get(t, e, t0)); got != "cancelled a=cancelled b=succeeded" {
		t.Error(got)
	}
	if _, err := e.Cancel(t0, "unknown"); !errors.Is(err, shoal.ErrNotFound) {
		t.Error(err)
	}
	e = newEngine()
	say(e, t0, "a=succeeded b=succeeded")
	if _, err := e.Cancel(t0, "t"); !errors.Is(err, shoal.ErrConflict) {
		t.Errorf("cancelling what has succeeded: %v", err)
	}
}

// aDead says that a was last seen at t0 and the others are alive.
func aDead(id shoal.NodeID) (time.Time, bool) { return t0, id != "ida" }

func TestUnreachable(t *testing.T) {
	e := newEngine()
	say(e, t0, "a=running b=succeeded")
	e.Sweep(t0.Add(timeout), aDead)
	if got := summary(get(t, e, t0)); got != "running a=running b=succeeded" {
		t.Fatalf("within the timeout: %s", got)
	}
	e.Sweep(t0.Add(timeout+1), aDead)
	task := get(t, e, t0)
	if got := summary(task); got != "failed a=failed b=succeeded" || task.Nodes[0].Error != "node unreachable since 2026-01-01T00:00:00Z" {
		t.Fatalf("after it: %s: %s", got, task.Nodes[0].Error)
	}
	save(e)
	if _, _, ok := e.Get(t0, "t"); ok {
		t.Fatal("a task that is over and saved is kept")
	}
	// The node returns to it: the task comes back from the database.
	unknown, _ := say(e, t0, "a=running")
	if unknown != 1 {
		t.Fatal("a report on a task that isn't held is swallowed")
	}
	e = newEngine()
	say(e, t0, "a=running b=succeeded")
	e.Sweep(t0.Add(timeout+1), aDead)
	say(e, t0.Add(time.Hour), "a=running a=failed a=running")
	if got := summary(get(t, e, t0)); got != "failed a=failed b=succeeded" || orders(e, "ida") != "" {
		t.Fatalf("it works on: %s, orders %s", got, orders(e, "ida"))
	}
	save(e)
	if _, unsaved := say(e, t0.Add(2*time.Hour), "a=succeeded"); !unsaved {
		t.Error("late success isn't to be saved")
	}
	task = get(t, e, t0)
	if got := summary(task); got != "succeeded a=succeeded b=succeeded" || task.Nodes[0].Error != "" || task.Seconds != 7201 {
		t.Fatalf("late success: %s %q %v s", got, task.Nodes[0].Error, task.Seconds)
	}
}

func TestUnreachableWhenCancelled(t *testing.T) {
	e := newEngine()
	say(e, t0, "a=running b=succeeded")
	e.Cancel(t0, "t")
	e.Sweep(t0.Add(timeout+1), aDead)
	if got := summary(get(t, e, t0)); got != "cancelled a=cancelled b=succeeded" {
		t.Fatal(got)
	}
	say(e, t0, "a=running")
	if got := orders(e, "ida"); got != "t d true" {
		t.Errorf("it works on what was cancelled behind its back: orders %q", got)
	}
	save(e)
	get(t, e, t0) // kept until the node has given up
	say(e, t0, "a=cancelled")
	if _, _, ok := e.Get(t0, "t"); ok {
		t.Error("it is kept though all is done")
	}
}

func save(e *Engine) []Change {
	c := e.Unsaved()
	e.Saved(c)
	return c
}

var nothingNew = []api.SubTaskReport{{Task: "t", State: api.Pending}}

func TestSaving(t *testing.T) {
	e := newEngine()
	if c := e.Unsaved(); len(c) != 0 {
		t.Fatalf("a task from the database is unsaved: %+v", c)
	}
	if _, unsaved := e.Report(t0, "ida", nothingNew); unsaved || len(e.Unsaved()) != 0 {
		t.Error("a report with nothing new is to be saved")
	}
	e.Report(t0, "ida", []api.SubTaskReport{{Task: "t", State: api.Running, Pieces: 1}})
	first := e.Unsaved()
	if len(first) != 1 || len(first[0].Nodes) != 1 || first[0].State != api.Running || first[0].Nodes[0].Name != "a" {
		t.Fatalf("%+v", first)
	}
	// Progress comes while the first change is being written.
	_, unsaved := e.Report(t0, "ida", []api.SubTaskReport{{Task: "t", State: api.Running, Pieces: 2}})
	if !unsaved {
		t.Error("a state that isn't on disk yet counts as saved")
	}
	e.Saved(first)
	second := e.Unsaved()
	if len(second) != 1 || second[0].Nodes[0].Pieces != 2 {
		t.Fatalf("what came meanwhile is lost: %+v", second)
	}
	_, unsaved = e.Report(t0, "ida", []api.SubTaskReport{{Task: "t", State: api.Running, Pieces: 3}})
	if unsaved {
		t.Error("mere progress has to be saved at once")
	}
	save(e)
	if len(e.Unsaved()) != 0 {
		t.Error("saved twice")
	}
}

func TestWatch(t *testing.T) {
	e := newEngine()
	before, changed, _ := e.Get(t0, "t")
	e.Report(t0, "ida", nothingNew)
	select {
	case <-changed:
		t.Fatal("woken without a change")
	default:
	}
	say(e, t0, "a=running")
	<-changed
	if get(t, e, t0).Version == before.Version {
		t.Error("the version stays")
	}
}
