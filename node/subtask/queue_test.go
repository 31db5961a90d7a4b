package subtask

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// orderOf is an order for the n-th content; what Want is asked for shows its name.
func orderOf(n byte, p api.Priority) api.SubTaskOrder {
	name := fmt.Sprintf("t%d", n)
	return api.SubTaskOrder{Task: name, Content: contentOf(n), Dest: name, Priority: p}
}

// states is what is reported, "t1=running t2=pending …".
func states(e *Executor) string {
	var words []string
	for _, r := range e.Reports() {
		words = append(words, r.Task+"="+string(r.State))
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}

// begun is the orders that were begun, in order.
func (f *fakeContents) begun() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.wanted, " ")
}

func (f *fakeContents) setBusy(busy bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.busy = busy
}

func (f *fakeContents) move(bytes int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tally.Bytes.Peers += bytes
}

// M11: of the orders that wait the highest begins first, of equals the oldest; what has
// begun goes on.
func TestQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &fakeContents{}
		e := openWith(t, t.TempDir(), c, 1)
		accept(e, orderOf(1, -10))
		time.Sleep(time.Second)
		accept(e, orderOf(2, -5), orderOf(3, 0), orderOf(4, 10))
		time.Sleep(time.Second)
		accept(e, orderOf(5, 0), orderOf(6, 10), orderOf(2, -5)) // the last is known
		if got, want := states(e), "t1=running t2=pending t3=pending t4=pending t5=pending t6=pending"; got != want {
			t.Fatalf("%s, want %s", got, want)
		}
		for n, want := range []string{"t1", "t1 t4", "t1 t4 t6", "t1 t4 t6 t3", "t1 t4 t6 t3 t5", "t1 t4 t6 t3 t5 t2"} {
			if got := c.begun(); got != want {
				t.Fatalf("after %d ends: begun %s, want %s", n, got, want)
			}
			last := strings.Fields(want)[n]
			time.Sleep(time.Second)
			e.Settle(contentOf(last[1]-'0'), []error{nil, syscall.ENOSPC}[n%2])
			idle(e)
		}
		for _, r := range e.Reports() {
			if !r.State.Final() {
				t.Errorf("%+v", r)
			}
			if r.Task == "t2" && (r.Why.Queued != 6 || r.Seconds != 7) {
				t.Errorf("queued for %v of %v s, want 6 of 7", r.Why.Queued, r.Seconds)
			}
		}
	})
}

// M11: another priority moves an order that waits, also over a restart, and what has begun goes on.
func TestPriorityChanges(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tasks")
	c := &fakeContents{}
	e := accept(accept(openWith(t, dir, c, 1), orderOf(1, 0)), orderOf(2, 0), orderOf(3, 5), orderOf(4, 5))
	accept(e, orderOf(1, -10), orderOf(3, -1), orderOf(4, -10))
	e.Settle(contentOf(1), nil)
	idle(e)
	accept(e, orderOf(2, -10), orderOf(4, 3))
	for _, r := range e.Reports() {
		if want := map[string]api.Priority{"t1": -10, "t2": -10, "t3": -1, "t4": 3}[r.Task]; r.Priority != want {
			t.Errorf("%s is reported with %d, want %d", r.Task, r.Priority, want)
		}
	}
	if got := c.begun(); got != "t1 t2" {
		t.Fatalf("begun %s", got)
	}

	e = openWith(t, dir, c, 1) // killed
	e.Resume()
	settle(e, 2, 4, 3)
	if got := c.begun(); got != "t1 t2 t2 t4 t3" {
		t.Errorf("begun %s", got)
	}
}

// B2: what comes of a content while an order for it waits is not the order's.
func TestQueuedReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &fakeContents{}
		e := openWith(t, t.TempDir(), c, 1)
		accept(e, orderOf(1, 0), orderOf(2, 0))
		time.Sleep(3 * time.Second)
		c.count(500)
		for _, r := range e.Reports() {
			switch {
			case r.Task == "t1" && (r.State != api.Running || r.Bytes.Origin != 500 || r.Why.Queued != 0):
				t.Errorf("it runs: %+v", r)
			case r.Task == "t2" && (r.State != api.Pending || r.Pieces != 0 || r.Bytes != (api.Bytes{}) || r.Seconds != 3 || r.Why != (api.Why{Queued: 3})):
				t.Errorf("it waits: %+v", r)
			}
		}
	})
}

// B2: nor is what came for a reader before the order began; its shares add up to its time.
func TestQueuedBehindAReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &fakeContents{}
		e := openWith(t, t.TempDir(), c, 1)
		accept(e, orderOf(1, 0), orderOf(2, 0))
		time.Sleep(3 * time.Second)
		c.count(500)
		c.account(api.Why{Active: 3})
		e.Settle(contentOf(1), nil)
		idle(e)
		time.Sleep(2 * time.Second)
		c.count(900)
		c.account(api.Why{Active: 4, NoPeer: 1})
		e.Settle(contentOf(2), nil)
		for _, r := range e.Reports() {
			if r.Task == "t2" && (r.Bytes.Origin != 400 || r.Seconds != 5 || r.Why != (api.Why{Queued: 3, Active: 1, NoPeer: 1})) {
				t.Errorf("%+v", r)
			}
		}
	})
}

// B2: what waits once more after a restart is queued for both times, and for no other; what comes of its content meanwhile,
// as for a reader, is not its own. Another restart interrupts neither.
func TestQueuedTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "tasks")
		c := &fakeContents{}
		e := accept(openAgain(t, dir, c, 2), orderOf(1, 0), orderOf(2, 0), orderOf(3, 0))
		defer func() { e.Close() }()
		restart := func() {
			t.Helper()
			check(t, e.Close())
			time.Sleep(time.Second)
			e = openAgain(t, dir, c, 1)
			e.Resume()
			idle(e)
		}
		time.Sleep(3 * time.Second)
		c.count(100)
		c.account(api.Why{Active: 1})
		e.Settle(contentOf(1), nil)
		idle(e) // the third begins
		time.Sleep(2 * time.Second)
		c.count(500)
		c.account(api.Why{Active: 3})
		restart()
		time.Sleep(2 * time.Second) // shorter than what begins in the place of a stalled one
		if got := states(e); got != "t1=succeeded t2=running t3=pending" {
			t.Fatal(got)
		}
		report := func(state api.State, origin int64, want api.Why) {
			t.Helper()
			for _, r := range e.Reports() {
				if r.Task == "t3" && (r.State != state || r.Bytes.Origin != origin || r.Why != want) {
					t.Errorf("%s: %d bytes, %+v of %v s, want %s: %d, %+v", r.State, r.Bytes.Origin, r.Why, r.Seconds, state, origin, want)
				}
			}
		}
		c.count(900)
		c.account(api.Why{Active: 4, NoPeer: 1})
		report(api.Pending, 400, api.Why{Queued: 3 + 2, Active: 2})
		restart() // the order waits while the node is away, too
		c.count(1000)
		report(api.Pending, 400, api.Why{Queued: 3 + 2 + 1, Active: 2})
		time.Sleep(time.Second)
		e.Settle(contentOf(2), nil)
		idle(e)
		report(api.Running, 400, api.Why{Queued: 3 + 2 + 1 + 1, Active: 2})
		time.Sleep(time.Second)
		c.count(1300)
		c.account(api.Why{Active: 5, NoPeer: 1})
		report(api.Running, 700, api.Why{Queued: 3 + 2 + 1 + 1, Active: 3})
	})
}

// A content that nobody can send holds up none that somebody can.
func TestStalledLeavesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &fakeContents{}
		e := openWith(t, t.TempDir(), c, 1)
		accept(e, orderOf(1, 0), orderOf(2, 0), orderOf(3, 0))
		for range 20 { // it moves
			time.Sleep(stalledAfter / 2)
			c.move(1)
		}
		if got := c.begun(); got != "t1" {
			t.Fatalf("begun %s while the first moves", got)
		}
		time.Sleep(stalledAfter - time.Second)
		if got := c.begun(); got != "t1" {
			t.Fatalf("begun %s too soon", got)
		}
		time.Sleep(time.Second + feelEvery)
		synctest.Wait()
		if got := c.begun(); got != "t1 t2" {
			t.Fatalf("begun %s when nothing has come for long", got)
		}
		c.move(1) // all that run count again, and none is stopped
		time.Sleep(feelEvery)
		synctest.Wait()
		e.Settle(contentOf(2), nil)
		idle(e)
		if got := states(e); got != "t1=running t2=succeeded t3=pending" {
			t.Errorf("%s: the first one moves again", got)
		}
	})
}

// What the node itself takes long for is no stall: to come to an order, to hash what it has of
// the content, to publish it.
func TestBusyIsNoStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &fakeContents{slow: func() { time.Sleep(3 * stalledAfter) }}
		e := openWith(t, t.TempDir(), c, 1)
		e.Accept([]api.SubTaskOrder{orderOf(1, 0)})
		e.Accept([]api.SubTaskOrder{orderOf(2, 0)})
		time.Sleep(3*stalledAfter + feelEvery)
		for range 20 {
			c.setBusy(true)
			time.Sleep(2 * stalledAfter)
			c.setBusy(false)
			time.Sleep(stalledAfter - 2*feelEvery)
		}
		if got := states(e); got != "t1=running t2=pending" {
			t.Fatalf("%s while the node is busy", got)
		}
		time.Sleep(3 * feelEvery)
		synctest.Wait()
		if got := states(e); got != "t1=running t2=running" {
			t.Errorf("%s when nothing has come for long", got)
		}
	})
}

// An outage begins no more than so many in all.
func TestOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &fakeContents{}
		e := openWith(t, t.TempDir(), c, 2)
		for n := range byte(20) {
			accept(e, orderOf(n, 0))
		}
		time.Sleep(time.Hour)
		if n := len(strings.Fields(c.begun())); n != 2*mostUnderWay || e.Room() != 0 {
			t.Errorf("%d begun, room for %d", n, e.Room())
		}
	})
}

// What waits is waiting after a restart, in the same order; what ran goes on first, however
// low.
func TestRestartWithQueue(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tasks")
	c := &fakeContents{}
	accept(accept(openWith(t, dir, c, 1), orderOf(1, -10)), orderOf(2, 0), orderOf(3, 10))

	e := openWith(t, dir, c, 1) // killed
	if got := states(e); got != "t1=running t2=pending t3=pending" {
		t.Errorf("on disk: %s", got)
	}
	e.Resume()
	settle(e, 1, 3, 2)
	if got := c.begun(); got != "t1 t1 t3 t2" {
		t.Errorf("begun %s", got)
	}
}

// A node of an earlier version had begun all that is in its journal.
func TestJournalWithoutQueue(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tasks")
	check(t, os.Mkdir(dir, 0o700))
	for i, name := range []string{"a", "b"} {
		record := fmt.Sprintf(`{"order":{"task":%q,"content":%q,"dest":%q},"accepted":"2026-01-0%dT00:00:00Z","before":{},"report":{"task":%q,"state":"running"}}`,
			name, contentOf(byte(i)), name, i+1, name)
		check(t, os.WriteFile(filepath.Join(dir, name+".json"), []byte(record), 0o600))
	}
	c := &fakeContents{}
	e := openWith(t, dir, c, 1)
	e.Resume()
	accept(e, orderOf(3, 10))
	e.Settle(contentOf(0), nil)
	idle(e)
	if got := c.begun(); got != "a b" {
		t.Errorf("begun %s", got)
	}
}

// A queued order that is cancelled was never begun: nothing of the content is its to remove.
func TestCancelQueued(t *testing.T) {
	c := &fakeContents{}
	e := openWith(t, t.TempDir(), c, 1)
	accept(accept(e, orderOf(1, 0)), orderOf(2, 5), orderOf(3, 0))
	cancel := orderOf(2, 5)
	cancel.Cancel = true
	accept(e, cancel)
	if got := states(e); got != "t1=running t2=cancelled t3=pending" || c.dropped != 0 {
		t.Fatalf("%s, dropped %d", got, c.dropped)
	}
	cancel = orderOf(1, 0)
	cancel.Cancel = true
	accept(e, cancel)
	if got := states(e); got != "t1=cancelled t2=cancelled t3=running" || c.dropped != 1 || c.begun() != "t1 t3" {
		t.Errorf("%s, dropped %d, begun %s", got, c.dropped, c.begun())
	}
}

// A partial goes with the last order for it, also where that never began.
func TestCancelPartialLeftToAnother(t *testing.T) {
	for _, restart := range []bool{false, true} {
		dir := filepath.Join(t.TempDir(), "tasks")
		c := &fakeContents{}
		first, other := orderOf(1, 0), orderOf(2, 10)
		accept(openWith(t, dir, c, 2), first, other)

		e := openWith(t, dir, c, 1) // killed; of the two only the other goes on
		e.Resume()
		second := first
		second.Task = "u1"
		accept(idle(e), second)
		if got := states(e); got != "t1=pending t2=running u1=pending" {
			t.Fatal(got)
		}
		first.Cancel, second.Cancel = true, true
		accept(e, first)
		if restart {
			e = openWith(t, dir, c, 1)
			e.Resume()
			idle(e)
		}
		if c.dropped != 0 {
			t.Fatal("dropped while an order wants it")
		}
		accept(e, second)
		if got := states(e); got != "t1=cancelled t2=running u1=cancelled" || c.dropped != 1 {
			t.Errorf("restarted %v: %s, dropped %d times", restart, got, c.dropped)
		}
	}
}

// Another's failure to fetch a content does not end the orders that wait for it; that it is
// here does.
func TestSettleQueued(t *testing.T) {
	c := &fakeContents{}
	e := openWith(t, t.TempDir(), c, 1)
	accept(e, orderOf(1, 0), orderOf(2, 0), orderOf(3, 0))
	e.Settle(contentOf(2), errors.New("a reader's fetch failed"))
	c.count(700)
	e.Settle(contentOf(3), nil)
	if got := states(e); got != "t1=running t2=pending t3=succeeded" {
		t.Error(got)
	}
	for _, r := range e.Reports() {
		if want := map[string]int{"t1": 7, "t3": 7}[r.Task]; r.Pieces != want {
			t.Errorf("%s has %d pieces, want %d", r.Task, r.Pieces, want)
		}
	}
	if e.For(contentOf(2)) != "t2" || e.Room() != 0 {
		t.Errorf("for %q, room for %d", e.For(contentOf(2)), e.Room())
	}
}

// What is here, or on its way for another reason, need not wait.
func TestComingDoesNotWait(t *testing.T) {
	c := &fakeContents{}
	c.coming = map[shoal.ContentID]bool{contentOf(2): true}
	e := openWith(t, t.TempDir(), c, 1)
	accept(e, orderOf(1, 0))
	accept(e, orderOf(2, -10), orderOf(3, 10))
	if got := c.begun(); got != "t1 t2" {
		t.Errorf("begun %s", got)
	}
}

// What could not be made durable is refused, and its place given to the next.
func TestNoRoomForTheOrder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tasks")
	c := &fakeContents{}
	e := openWith(t, dir, c, 1)
	accept(e, orderOf(1, 0), orderOf(2, 0))
	check(t, os.RemoveAll(dir))
	accept(e, orderOf(3, 10))
	e.Settle(contentOf(1), nil)
	idle(e)
	if got := states(e); got != "t1=succeeded t2=running t3=failed" || c.begun() != "t1 t2" {
		t.Errorf("%s, begun %s", got, c.begun())
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
