package subtask

import (
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/library"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// fakeContents records what is asked of it.
type fakeContents struct {
	mu       sync.Mutex
	complete bool  // Want's answers
	err      error //
	tally    library.Tally
	wanted   []string // "task order's dest"
	dropErr  error    // Drop's answer
	dropped  int
	coming   map[shoal.ContentID]bool
	busy     bool
	slow     func() // called by Want; may be nil
}

func (f *fakeContents) Want(_ shoal.ContentID, dest string, operator bool) (bool, error) {
	if f.slow != nil {
		f.slow()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if operator {
		return false, errors.New("a sub-task is no operator's request")
	}
	f.wanted = append(f.wanted, dest)
	return f.complete, f.err
}

func (f *fakeContents) Drop(shoal.ContentID) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dropped++
	return f.dropErr
}

func (f *fakeContents) Coming(id shoal.ContentID) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.coming[id]
}

func (f *fakeContents) Busy(shoal.ContentID) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.busy
}

func (f *fakeContents) Tally(shoal.ContentID) library.Tally {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.tally
}

func (f *fakeContents) count(origin int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tally.Bytes.Origin, f.tally.Pieces = origin, int(origin/100)
}

func (f *fakeContents) account(w api.Why) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tally.Why = w
}

func open(t *testing.T, dir string, c Contents) *Executor {
	t.Helper()
	return openWith(t, dir, c, 4)
}

func openWith(t *testing.T, dir string, c Contents, most int) *Executor {
	t.Helper()
	e := openAgain(t, dir, c, most)
	t.Cleanup(func() { e.Close() })
	return e
}

// openAgain is openWith for an executor that the caller closes.
func openAgain(t *testing.T, dir string, c Contents, most int) *Executor {
	t.Helper()
	e, err := Open(Config{Dir: dir, Contents: c, Most: most, Changed: func() {}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// idle waits until all orders have been passed on.
func idle(e *Executor) *Executor {
	done := make(chan struct{})
	e.mu.Lock()
	e.enqueue(func() { close(done) })
	e.mu.Unlock()
	<-done
	return e
}

func accept(e *Executor, orders ...api.SubTaskOrder) *Executor {
	e.Accept(orders)
	return idle(e)
}

// settle ends the fetches of contents well, each when everything before it has been done.
func settle(e *Executor, contents ...byte) {
	for _, n := range contents {
		idle(e)
		e.Settle(contentOf(n), nil)
	}
}

var content = shoal.ContentID{1}

func order(task string) api.SubTaskOrder {
	return api.SubTaskOrder{Task: task, Content: content, Dest: "d"}
}

func cancelOf(task string) api.SubTaskOrder {
	return api.SubTaskOrder{Task: task, Content: content, Cancel: true}
}

// only returns the one report there is.
func only(t *testing.T, e *Executor) api.SubTaskReport {
	t.Helper()
	rs := e.Reports()
	if len(rs) != 1 {
		t.Fatalf("reports: %+v", rs)
	}
	return rs[0]
}

// M11: whatever the moment of a kill, the next process knows the order and
// what became of it, until the tracker has the final report.
func TestKilledAtAnyMoment(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tasks")
	c := &fakeContents{}
	c.count(500) // from before the order
	accept(open(t, dir, c), order("t"))

	e := open(t, dir, c) // killed after accepting
	if len(c.wanted) != 1 {
		t.Fatalf("worked on before Resume: %v", c.wanted)
	}
	e.Resume()
	idle(e)
	if r := only(t, e); r.State != api.Running || len(c.wanted) != 2 || c.wanted[1] != "d" {
		t.Fatalf("resumed: %+v, wanted %v", r, c.wanted)
	}
	c.count(800)
	if r := only(t, e); r.Bytes.Origin != 300 || r.Pieces != 8 {
		t.Errorf("progress: %+v", r)
	}
	e.Settle(content, nil)

	c.count(0) // the content may be gone by now: the report stays what it was
	e = open(t, dir, c)
	e.Resume()
	idle(e)
	if r := only(t, e); r.State != api.Succeeded || r.Bytes.Origin != 300 || r.Pieces != 8 || len(c.wanted) != 2 {
		t.Fatalf("after the end: %+v, wanted %v", r, c.wanted)
	}
	e.Delivered([]string{"t", "unknown"})
	if rs := open(t, dir, c).Reports(); len(rs) != 0 {
		t.Errorf("after the delivery: %+v", rs)
	}
}

func TestOutcomes(t *testing.T) {
	full := &fakeContents{err: syscall.ENOSPC}
	for _, c := range []struct {
		name     string
		contents *fakeContents
		do       func(*Executor)
		state    api.State
		reason   string
		dropped  int
	}{
		{"complete already", &fakeContents{complete: true}, func(*Executor) {}, api.Succeeded, "", 0},
		{"refused", full, func(*Executor) {}, api.Failed, "no space left on device", 0},
		{"completes", &fakeContents{}, func(e *Executor) { e.Settle(content, nil) }, api.Succeeded, "", 0},
		{"fails", &fakeContents{}, func(e *Executor) { e.Settle(content, syscall.EIO) }, api.Failed, "input/output error", 0},
		{"another content ends", &fakeContents{}, func(e *Executor) { e.Settle(shoal.ContentID{2}, nil) }, api.Running, "", 0},
		{"ends twice", &fakeContents{}, func(e *Executor) { e.Settle(content, nil); e.Settle(content, syscall.EIO) }, api.Succeeded, "", 0},
		{"cancelled", &fakeContents{}, func(e *Executor) { accept(e, cancelOf("t"), cancelOf("t")) }, api.Cancelled, "", 1},
		{"cancelled too late", &fakeContents{complete: true}, func(e *Executor) { accept(e, cancelOf("t")) }, api.Succeeded, "", 0},
		{"ordered again", &fakeContents{}, func(e *Executor) { accept(e, order("t")) }, api.Running, "", 0},
		{"running is not delivered", &fakeContents{}, func(e *Executor) { e.Delivered([]string{"t"}) }, api.Running, "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := open(t, t.TempDir(), c.contents)
			accept(e, order("t"))
			c.do(e)
			if r := only(t, e); r.State != c.state || r.Error != c.reason || c.contents.dropped != c.dropped || len(c.contents.wanted) != 1 {
				t.Errorf("report %+v, dropped %d, wanted %v", r, c.contents.dropped, c.contents.wanted)
			}
		})
	}
}

// tracker/api announce.go: a node that is told to cancel what it doesn't know
// reports that it is cancelled.
func TestCancelUnknown(t *testing.T) {
	c := &fakeContents{}
	e := open(t, t.TempDir(), c)
	accept(e, cancelOf("t"))
	if r := only(t, e); r.State != api.Cancelled || len(c.wanted)+c.dropped != 0 {
		t.Errorf("%+v, wanted %v, dropped %d", r, c.wanted, c.dropped)
	}
}

// What a cancelled task fetched is removed, also where the node is killed after
// the tracker has the cancellation and before it is done.
func TestKilledBeforeDrop(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tasks")
	c := &fakeContents{dropErr: library.ErrClosing} // it does not come to it
	e := accept(accept(open(t, dir, c), order("t")), cancelOf("t"))
	e.Delivered([]string{"t"})
	if r := only(t, e); r.State != api.Cancelled {
		t.Fatalf("delivered, not dropped: %+v", r)
	}

	c = &fakeContents{}
	e = open(t, dir, c)
	e.Resume()
	idle(e)
	if r := only(t, e); r.State != api.Cancelled || c.dropped != 1 || len(c.wanted) != 0 {
		t.Fatalf("after the restart: %+v, dropped %d times, wanted %v", r, c.dropped, c.wanted)
	}
	e.Delivered([]string{"t"})
	if rs := open(t, dir, c).Reports(); len(rs) != 0 {
		t.Errorf("after the delivery: %+v", rs)
	}
}

// A content that another task still wants stays.
func TestCancelOneOfTwo(t *testing.T) {
	c := &fakeContents{}
	e := open(t, t.TempDir(), c)
	accept(e, order("a"), order("b"), cancelOf("a"))
	if c.dropped != 0 {
		t.Fatal("dropped while a task wants it")
	}
	accept(e, cancelOf("b"))
	if c.dropped != 1 {
		t.Errorf("dropped %d times", c.dropped)
	}
}

// The tracker may be anybody: its task IDs become file names.
func TestHostileTaskIDs(t *testing.T) {
	dir := t.TempDir()
	e := open(t, filepath.Join(dir, "tasks"), &fakeContents{})
	accept(e, order("../x"), order(""), order("a/b"), order("a\x00"))
	if rs := e.Reports(); len(rs) != 0 {
		t.Errorf("reports: %+v", rs)
	}
	accept(e, order("a.json"), order("ok"))
	ids := []string{}
	for _, r := range open(t, filepath.Join(dir, "tasks"), &fakeContents{}).Reports() {
		ids = append(ids, r.Task)
	}
	if slices.Sort(ids); !slices.Equal(ids, []string{"a.json", "ok"}) {
		t.Errorf("kept: %v", ids)
	}
}

// B2: what was counted before the order is not the task's.
func TestSinceIsNeverNegative(t *testing.T) {
	got := since(api.Bytes{Origin: 5, Peers: 7}, api.Bytes{Origin: 9, Peers: 3, Wasted: 1})
	if got != (api.Bytes{Peers: 4}) {
		t.Errorf("got %+v", got)
	}
}
