package spool

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/ingest/api"
	"github.com/shoal-cdn/shoal/node/upload"
	"github.com/shoal-cdn/shoal/node/upload/uploadtest"
)

type world struct {
	*Spool
	t       *testing.T
	server  *uploadtest.Server
	sending Sending
	source  string // folder
}

func newWorld(t *testing.T) *world {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "spool"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	w := &world{Spool: s, t: t, server: uploadtest.New("in-1"), source: t.TempDir()}
	srv := httptest.NewServer(w.server)
	t.Cleanup(srv.Close)
	w.sending.Candidates = func(context.Context, Item) ([]upload.Candidate, error) {
		return []upload.Candidate{{Name: "in-1", URLs: []string{srv.URL}}}, nil
	}
	return w
}

func (w *world) file(name string, n int) string {
	w.t.Helper()
	path := filepath.Join(w.source, name)
	if err := os.WriteFile(path, bytes.Repeat([]byte(name), n/len(name)+1)[:n], 0o644); err != nil {
		w.t.Fatal(err)
	}
	return path
}

func (w *world) add(n New) Item {
	w.t.Helper()
	it, err := w.Add(w.t.Context(), n)
	if err != nil {
		w.t.Fatal(err)
	}
	return it
}

func (w *world) item(task string) Item {
	w.t.Helper()
	it, err := w.Item(task)
	if err != nil {
		w.t.Fatal(err)
	}
	return it
}

// What is spooled is sent although its source is gone, but where it was spooled in place.
func TestSendsWhatIsGone(t *testing.T) {
	for _, c := range []struct {
		name string
		new  New
		kind error
	}{
		{"linked", New{}, nil},
		{"copied", New{Copy: true}, nil},
		{"in place", New{InPlace: true}, shoal.ErrChanged},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			c.new.Path = w.file("a.bin", 200_000)
			want, _ := os.ReadFile(c.new.Path)
			it := w.add(c.new)
			if err := os.Remove(c.new.Path); err != nil {
				t.Fatal(err)
			}
			rep, err := w.Send(t.Context(), it.Task, w.sending)
			if !errors.Is(err, c.kind) {
				t.Fatalf("error %v, want %v", err, c.kind)
			}
			if c.kind != nil {
				if got := w.item(it.Task); got.State != Failed || !strings.Contains(got.Error, "changed") {
					t.Errorf("item %+v", got)
				}
				return
			}
			got, d, complete := w.server.Data(it.Task)
			if !complete || !bytes.Equal(got, want) || d.Name != "a.bin" || rep.Sent != 200_000 {
				t.Errorf("complete %t, %d bytes of %q, report %+v", complete, len(got), d.Name, rep)
			}
			if got := w.item(it.Task); got.State != Done || got.Sent != 200_000 || got.Content != rep.Content.String() {
				t.Errorf("item %+v", got)
			}
			if left, _ := filepath.Glob(filepath.Join(w.Dir(), it.Task+".data")); len(left) > 0 {
				t.Errorf("the data of an item that is done is still there: %v", left)
			}
		})
	}
}

// A linked file that is written to in place is another one.
func TestWrittenTo(t *testing.T) {
	w := newWorld(t)
	path := w.file("a.bin", 100_000)
	it := w.add(New{Path: path})
	if err := os.WriteFile(path, make([]byte, 100_000), 0o644); err != nil {
		t.Fatal(err)
	}
	if it.Data == Cloned {
		t.Skip("the file system has reflinks")
	}
	if err := os.Chtimes(path, time.Time{}, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Send(t.Context(), it.Task, w.sending); !errors.Is(err, shoal.ErrChanged) {
		t.Errorf("error %v", err)
	}
}

// Digests are kept: what was hashed is not hashed again (R1, R2).
func TestResumesWithoutHashing(t *testing.T) {
	w := newWorld(t)
	it := w.add(New{Path: w.file("a.bin", 3<<20), Distribute: &api.Distribute{}})
	ctx, cancel := context.WithCancel(t.Context())
	var n atomic.Int32
	w.server.OnChunks = func(*http.Request) int {
		switch k := n.Add(1); {
		case k == 1, ctx.Err() != nil:
			return 0
		case k == 3: // the first is through
			cancel()
		}
		return http.StatusServiceUnavailable
	}
	if _, err := w.Send(ctx, it.Task, w.sending); err == nil {
		t.Fatal("not interrupted")
	}
	if got := w.item(it.Task); got.State != Waiting || got.Content == "" {
		t.Errorf("item %+v", got)
	}
	rep, err := w.Send(t.Context(), it.Task, w.sending)
	if err != nil || rep.HashSeconds != 0 || rep.Had+rep.Sent != 3<<20 || rep.Had == 0 {
		t.Errorf("%v, report %+v", err, rep)
	}
}

func TestFind(t *testing.T) {
	w := newWorld(t)
	n := New{Path: w.file("a.bin", 100), InPlace: true, Target: Target{Trackers: []string{"http://t"}}}
	it := w.add(n)
	if got, err := w.Find(t.Context(), n); err != nil || got.Task != it.Task {
		t.Errorf("found %s, %v; want %s", got.Task, err, it.Task)
	}
	other := n
	other.Distribute = &api.Distribute{When: api.AtComplete}
	if got, err := w.Find(t.Context(), other); !errors.Is(err, shoal.ErrNotFound) {
		t.Errorf("another distribution: found %s, %v", got.Task, err)
	}
	w.file("a.bin", 101)
	if got, err := w.Find(t.Context(), n); !errors.Is(err, shoal.ErrNotFound) {
		t.Errorf("another file: found %s, %v", got.Task, err)
	}
	if items, _, _ := w.List(); len(items) != 0 {
		t.Errorf("%d items of a file that is no more", len(items))
	}
}

// Run sends all items, and goes on after one that cannot be sent.
func TestRun(t *testing.T) {
	w := newWorld(t)
	bad := w.add(New{Path: w.file("bad", 10), InPlace: true})
	w.file("bad", 11)
	a, b := w.add(New{Path: w.file("a", 1000)}), w.add(New{Path: w.file("b", 0)})
	if err := w.Run(t.Context(), w.sending, true); err != nil {
		t.Fatal(err)
	}
	for task, want := range map[string]State{bad.Task: Failed, a.Task: Done, b.Task: Done} {
		if got := w.item(task); got.State != want {
			t.Errorf("%s is %s, want %s: %s", got.Name, got.State, want, got.Error)
		}
	}
}

func TestRunnersExcludeEachOther(t *testing.T) {
	w := newWorld(t)
	unlock, err := w.lock(runnerLock)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Run(t.Context(), w.sending, true); !errors.Is(err, shoal.ErrConflict) {
		t.Errorf("a second runner: %v", err)
	}
	unlock()
	it := w.add(New{Path: w.file("a", 10)})
	unlock, err = w.lock(it.Task + lockSuffix)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Send(t.Context(), it.Task, w.sending); !errors.Is(err, shoal.ErrConflict) {
		t.Errorf("a second sender: %v", err)
	}
	unlock()
}

func TestCancel(t *testing.T) {
	w := newWorld(t)
	forget := func(ctx context.Context, it Item) error { return Forget(ctx, it, w.sending.Candidates) }
	idle := w.add(New{Path: w.file("a", 10)})
	if err := w.Cancel(t.Context(), idle.Task, forget); err != nil {
		t.Fatal(err)
	}
	// While it is sent: the sender finds the order.
	it := w.add(New{Path: w.file("b", 1<<20)})
	w.server.OnChunks = func(r *http.Request) int {
		_ = w.Cancel(r.Context(), it.Task, forget)
		return http.StatusServiceUnavailable
	}
	if _, err := w.Send(t.Context(), it.Task, w.sending); !errors.Is(err, shoal.ErrCancelled) {
		t.Errorf("cancelled while it is sent: %v", err)
	}
	if items, _, _ := w.List(); len(items) != 0 || len(w.server.Tasks()) != 0 {
		t.Errorf("%d items left, %d uploads at the server", len(items), len(w.server.Tasks()))
	}
	if left, _ := os.ReadDir(w.Dir()); len(left) != 0 {
		t.Errorf("left in the spool: %v", left)
	}
}

// What a crash left belongs to nobody, and goes after a while; what is not old
// may be somebody's work.
func TestSweep(t *testing.T) {
	w := newWorld(t)
	old := time.Now().Add(-2 * sweepAge)
	for _, name := range []string{"abcdefghijkl.data/x", "abcdefghijkm.json.new", "abcdefghijkn.torrent"} {
		path := filepath.Join(w.Dir(), name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
		top := filepath.Join(w.Dir(), strings.Split(name, "/")[0])
		if err := os.Chtimes(top, old, old); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(w.Dir(), "abcdefghijko.torrent"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	w.sweep(t.Context())
	left, _ := filepath.Glob(filepath.Join(w.Dir(), "abc*"))
	if len(left) != 1 || filepath.Base(left[0]) != "abcdefghijko.torrent" {
		t.Errorf("left %v", left)
	}
}

// A file that grows is spooled once it has stood still, and once only.
func TestSettles(t *testing.T) {
	w := newWorld(t)
	var added []Item
	look := looker{spool: w.Spool, dir: w.source, seen: map[string]sight{}, Watching: Watching{
		Settle: time.Second, Added: func(it Item) { added = append(added, it) },
	}}
	now := time.Now()
	after := func(d time.Duration, want int) {
		t.Helper()
		now = now.Add(d)
		if err := look.once(t.Context(), now); err != nil || len(added) != want {
			t.Fatalf("spooled %v, %v; want %d items", added, err, want)
		}
	}
	w.file(".hidden", 5)
	for n := range 10 {
		w.file("grows", 100*(n+1))
		after(900*time.Millisecond, 0)
	}
	after(900*time.Millisecond, 0)
	after(100*time.Millisecond, 1)
	if it := added[0]; it.Name != "grows" || it.Size != 1000 {
		t.Errorf("spooled %s of %d bytes, want all of it", it.Name, it.Size)
	}
	after(time.Minute, 1)
}

// What is put into a folder that is watched is spooled, besides what is in it already.
func TestWatch(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	added := make(chan Item, 10)
	ended := make(chan error, 1)
	w.file("first", 5)
	go func() {
		ended <- w.Watch(ctx, w.source, Watching{Settle: 20 * time.Millisecond, Added: func(it Item) { added <- it }})
	}()
	if it := <-added; it.Name != "first" {
		t.Errorf("spooled %s", it.Name)
	}
	if err := os.Rename(w.file(".second", 7), filepath.Join(w.source, "second")); err != nil { // at once, with all of it
		t.Fatal(err)
	}
	if it := <-added; it.Name != "second" {
		t.Errorf("spooled %s again", it.Name)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("watch: %v", err)
	}
	if err := w.Watch(t.Context(), filepath.Dir(w.Dir()), Watching{}); !errors.Is(err, shoal.ErrInvalid) {
		t.Errorf("a folder that holds the spool: %v", err)
	}
}

func FuzzItem(f *testing.F) {
	ok := Item{
		Task: "abcdefghijkl", Source: "/data/x", Name: "x", Data: Linked, Size: 5, Origin: strings.Repeat("0", 64),
		Print: strings.Repeat("1", 64), State: Waiting, Target: Target{Trackers: []string{"http://t:1"}},
	}
	text, err := json.Marshal(ok)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"task":"abcdefghijkl","source":"/../..","name":"..","data":"link","state":"done"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		it, err := decodeItem("abcdefghijkl", b)
		switch {
		case err != nil && !errors.Is(err, shoal.ErrCorrupt):
			t.Errorf("error %v is not of its kind", err)
		case err == nil && (strings.ContainsAny(it.Name, "/\x00") || it.Name == ".." || !filepath.IsAbs(it.Source)):
			t.Errorf("took %+v", it)
		}
	})
}
