package node_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node"
	"github.com/shoal-cdn/shoal/node/api"
	"github.com/shoal-cdn/shoal/tracker"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// logTo is a logger for a test: what goes wrong is easier to see with it.
func logTo(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo}))
}

// startTracker runs a real tracker on loopback.
func startTracker(t *testing.T) (url string, c *tapi.Client) {
	t.Helper()
	url, c, _ = startMortalTracker(t)
	return url, c
}

// startMortalTracker is startTracker for one that vanishes before the test ends.
func startMortalTracker(t *testing.T) (url string, c *tapi.Client, vanish func()) {
	t.Helper()
	tr, err := tracker.New(tracker.Config{Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- tr.Run(ctx) }()
	srv := httptest.NewServer(tr.Handler())
	vanish = sync.OnceFunc(func() {
		stop()
		srv.CloseClientConnections()
		srv.Close()
		if err := errors.Join(<-ended, tr.Close()); err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("tracker: %v", err)
		}
	})
	t.Cleanup(vanish)
	if c, err = tapi.NewClient([]string{srv.URL}, nil); err != nil {
		t.Fatal(err)
	}
	return srv.URL, c, vanish
}

// running is a node that runs until stop.
type running struct {
	*node.Node
	*api.Client
	data string
	stop func()
}

func startNode(t *testing.T, name, data string, trackers ...string) *running {
	t.Helper()
	return start(t, node.Config{Name: name, Data: data, Trackers: trackers})
}

func start(t *testing.T, cfg node.Config) *running {
	t.Helper()
	cfg.Listen, cfg.HTTP = "127.0.0.1:0", "127.0.0.1:0"
	if cfg.Log == nil {
		cfg.Log = logTo(t).With("node", cfg.Name)
	}
	name, data := cfg.Name, cfg.Data
	n, err := node.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	stopped := false
	stop := func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("node %s: %v", name, err)
		}
	}
	t.Cleanup(stop)
	c, err := api.NewClient(n.URL())
	if err != nil {
		t.Fatal(err)
	}
	return &running{n, c, data, stop}
}

// writeFile makes a file of random bytes.
func writeFile(t *testing.T, path string, size int) []byte {
	t.Helper()
	b := make([]byte, size)
	seed := [32]byte{byte(size), byte(size >> 8), byte(size >> 16)}
	_, _ = rand.NewChaCha8(seed).Read(b) // never fails
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return b
}

// eventually waits for what happens soon; it fails the test after a minute.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("in a minute it did not come to this: %s", what)
		}
	}
}

func liveNodes(t *testing.T, c *tapi.Client, want int) {
	t.Helper()
	eventually(t, "the nodes are live", func() bool {
		ns, err := c.Nodes(t.Context())
		live := 0
		for _, n := range ns {
			if n.Alive {
				live++
			}
		}
		return err == nil && live == want
	})
}

func finished(t *testing.T, c *tapi.Client, id string) (task tapi.Task) {
	t.Helper()
	eventually(t, "the task ends", func() bool {
		var err error
		task, err = c.Task(t.Context(), id)
		return err == nil && task.State.Final()
	})
	return task
}

// M1, M2, M3, M11: seed on one node, distribute by a task, fetch as a guest.
func TestDistribute(t *testing.T) {
	url, tc := startTracker(t)
	a := startNode(t, "a", t.TempDir(), url)
	b := startNode(t, "b", t.TempDir(), url)
	c := startNode(t, "c", t.TempDir(), url)
	liveNodes(t, tc, 3)

	source := filepath.Join(t.TempDir(), "film.bin")
	data := writeFile(t, source, 3<<20+12345)
	var hashed int64
	seeded, err := a.Seed(t.Context(), source, func(h, _ int64) { hashed = h })
	if err != nil {
		t.Fatal(err)
	}
	if seeded.Size != int64(len(data)) || seeded.Name != "film.bin" || hashed == 0 {
		t.Errorf("seeded %+v, %d bytes hashed", seeded, hashed)
	}
	task, err := tc.CreateTask(t.Context(), tapi.NewTask{Content: seeded.Content, Nodes: []string{"b", "c"}, Dest: "in/film.bin"})
	if err != nil {
		t.Fatal(err)
	}
	task = finished(t, tc, task.ID)
	if task.State != tapi.Succeeded {
		t.Fatalf("task: %+v", task)
	}
	for _, sub := range task.Nodes {
		if got := sub.Bytes.Origin + sub.Bytes.Peers; got != int64(len(data)) || sub.Pieces != seeded.Pieces || sub.Seconds <= 0 {
			t.Errorf("sub-task of %s: %+v, want %d bytes", sub.Node, sub, len(data))
		}
	}
	for _, n := range []*running{b, c} {
		got, err := os.ReadFile(filepath.Join(n.data, "files/in/film.bin"))
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("what arrived differs: %v", err)
		}
		eventually(t, "the report is forgotten once it is delivered", func() bool {
			left, err := os.ReadDir(filepath.Join(n.data, "tasks"))
			return err == nil && len(left) == 0
		})
	}

	t.Run("guest", func(t *testing.T) {
		out := filepath.Join(t.TempDir(), "copy.bin")
		r, err := node.Get(t.Context(), node.GetConfig{
			Trackers: []string{url}, Content: seeded.Content, Output: out, Listen: "127.0.0.1:0", Log: logTo(t),
		})
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(out)
		if err != nil || !bytes.Equal(got, data) || r.Size != int64(len(data)) {
			t.Errorf("got %+v, %v", r, err)
		}
		if left, _ := os.ReadDir(filepath.Dir(out)); len(left) != 1 {
			t.Errorf("beside the output: %v", left)
		}
		if _, err = node.Get(t.Context(), node.GetConfig{Trackers: []string{url}, Content: seeded.Content, Output: out}); !errors.Is(err, shoal.ErrConflict) {
			t.Errorf("get onto a file that is there: %v", err)
		}
	})

	t.Run("again", func(t *testing.T) { // complete here: succeeds at once, unless it should be elsewhere
		again, err := tc.CreateTask(t.Context(), tapi.NewTask{Content: seeded.Content, Nodes: []string{"a", "b"}})
		if err != nil {
			t.Fatal(err)
		}
		if got := finished(t, tc, again.ID); got.State != tapi.Succeeded {
			t.Errorf("same place: %+v", got)
		}
		if again, err = tc.CreateTask(t.Context(), tapi.NewTask{Content: seeded.Content, Nodes: []string{"b"}, Dest: "elsewhere"}); err != nil {
			t.Fatal(err)
		}
		if got := finished(t, tc, again.ID); got.State != tapi.Failed || !strings.Contains(got.Nodes[0].Error, "already at") {
			t.Errorf("another place: %+v", got)
		}
	})

	t.Run("delete", func(t *testing.T) {
		if err := errors.Join(b.Delete(t.Context(), seeded.Content), a.Delete(t.Context(), seeded.Content)); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(b.data, "files/in/film.bin")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the node's copy: %v", err)
		}
		if _, err := os.Stat(source); err != nil {
			t.Errorf("the file seeded in place: %v", err)
		}
		eventually(t, "the tracker knows one holder", func() bool {
			got, err := tc.Content(t.Context(), seeded.Content)
			return err == nil && got.Holders == 1 && got.Origins == 0
		})
	})
}

// M11: a stopped node goes on with its tasks when it is started again, and so
// does what an operator asked for; what is complete is served again.
func TestRestart(t *testing.T) {
	url, tc := startTracker(t)
	dirs := []string{t.TempDir(), t.TempDir()}
	source := filepath.Join(t.TempDir(), "film.bin")
	data := writeFile(t, source, 1<<20)
	a := startNode(t, "a", dirs[0], url)
	b := startNode(t, "b", dirs[1], url)
	liveNodes(t, tc, 2)
	seeded, err := a.Seed(t.Context(), source, nil)
	if err != nil {
		t.Fatal(err)
	}
	a.stop() // nobody holds the content while the order is given
	task, err := tc.CreateTask(t.Context(), tapi.NewTask{Content: seeded.Content, Nodes: []string{"b"}})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the order is on disk", func() bool {
		_, err := os.Stat(filepath.Join(dirs[1], "tasks", task.ID+".json"))
		return err == nil
	})
	b.stop()
	idBefore := b.ID()

	a = startNode(t, "a", dirs[0], url)
	b = startNode(t, "b", dirs[1], url)
	if b.ID() != idBefore {
		t.Errorf("the identity changed from %s to %s", idBefore, b.ID())
	}
	if got := finished(t, tc, task.ID); got.State != tapi.Succeeded {
		t.Fatalf("task: %+v", got)
	}
	if got, err := os.ReadFile(filepath.Join(dirs[1], "files/film.bin")); err != nil || !bytes.Equal(got, data) {
		t.Errorf("what arrived differs: %v", err)
	}
	eventually(t, "the origin counts what it sent", func() bool { // its figures are of a moment ago
		c, err := a.Content(t.Context(), seeded.Content)
		return err == nil && c.Role == tapi.Origin && c.Sent >= int64(len(data))
	})
}

// What takes longer than the test can be stopped, and leaves what it should.
func TestStopHalfWay(t *testing.T) {
	url, tc := startTracker(t)
	a := start(t, node.Config{Name: "a", Data: t.TempDir(), Trackers: []string{url}, Up: 1 << 20})
	b := startNode(t, "b", t.TempDir(), url)
	liveNodes(t, tc, 2)
	source := filepath.Join(t.TempDir(), "film.bin")
	data := writeFile(t, source, 3<<20)
	seeded, err := a.Seed(t.Context(), source, nil)
	if err != nil {
		t.Fatal(err)
	}

	t.Run("a cancelled task leaves nothing", func(t *testing.T) { // M11
		task, err := tc.CreateTask(t.Context(), tapi.NewTask{Content: seeded.Content, Nodes: []string{"b"}})
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "b has a part", func() bool {
			c, err := b.Content(t.Context(), seeded.Content)
			return err == nil && c.PiecesHeld > 0
		})
		if _, err := tc.CancelTask(t.Context(), task.ID); err != nil {
			t.Fatal(err)
		}
		if got := finished(t, tc, task.ID); got.State != tapi.Cancelled || got.Nodes[0].State != tapi.Cancelled || got.Nodes[0].Pieces == 0 {
			t.Errorf("task: %+v", got)
		}
		eventually(t, "b has nothing of it", func() bool {
			left, err := os.ReadDir(filepath.Join(b.data, "partial"))
			cs, err2 := b.Contents(t.Context())
			return errors.Join(err, err2) == nil && len(left)+len(cs) == 0
		})
	})

	t.Run("an interrupted get goes on", func(t *testing.T) {
		out := filepath.Join(t.TempDir(), "copy.bin")
		ctx, cancel := context.WithCancelCause(t.Context())
		enough := errors.New("enough")
		cfg := node.GetConfig{
			Trackers: []string{url}, Content: seeded.Content, Output: out, Listen: "127.0.0.1:0",
			Progress: func(p node.Progress) {
				if p.PiecesHeld > p.Pieces/3 {
					cancel(enough)
				}
			},
		}
		if _, err := node.Get(ctx, cfg); !errors.Is(err, enough) {
			t.Fatalf("interrupted: %v", err)
		}
		var first, last node.Progress
		cfg.Progress = func(p node.Progress) {
			if first.Pieces == 0 {
				first = p
			}
			last = p
		}
		if _, err := node.Get(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(out); err != nil || !bytes.Equal(got, data) {
			t.Errorf("what arrived differs: %v", err)
		}
		if first.PiecesHeld <= first.Pieces/3 || last.Done != int64(len(data)) || last.Total != last.Done {
			t.Errorf("went on from %+v to %+v", first, last)
		}
	})

	t.Run("a get that waits for a holder can be stopped", func(t *testing.T) {
		a.stop()
		folder := t.TempDir()
		ctx, cancel := context.WithCancel(t.Context())
		_, err := node.Get(ctx, node.GetConfig{
			Trackers: []string{url}, Content: seeded.Content, Output: filepath.Join(folder, "copy.bin"), Listen: "127.0.0.1:0",
			Progress: func(p node.Progress) {
				if p.Total > 0 {
					cancel()
				}
			},
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("stopped: %v", err)
		}
		if left, _ := os.ReadDir(folder); len(left) != 0 {
			t.Errorf("it left %v", left)
		}
	})
}

// Two nodes on one folder would share an identity.
func TestOneNodeAFolder(t *testing.T) {
	dir := t.TempDir()
	n := startNode(t, "a", dir, "http://127.0.0.1:1")
	_, err := node.New(t.Context(), node.Config{Name: "b", Data: dir, Listen: "127.0.0.1:0", Trackers: []string{"http://127.0.0.1:1"}})
	if !errors.Is(err, shoal.ErrConflict) || !strings.Contains(err.Error(), "in use by another node") {
		t.Errorf("second node: %v", err)
	}
	n.stop()
	startNode(t, "b", dir, "http://127.0.0.1:1")
	if info, err := os.Stat(filepath.Join(dir, "identity.key")); err != nil || info.Mode() != 0o600 {
		t.Errorf("identity key: %v, %v", info.Mode(), err)
	}
}

func TestConfigIsChecked(t *testing.T) {
	good := node.Config{Name: "a", Data: t.TempDir(), Listen: "127.0.0.1:0", Trackers: []string{"http://127.0.0.1:1"}}
	for name, spoil := range map[string]func(*node.Config){
		"name":     func(c *node.Config) { c.Name = "all" },
		"data":     func(c *node.Config) { c.Data = "" },
		"trackers": func(c *node.Config) { c.Trackers = nil },
		"url":      func(c *node.Config) { c.Trackers = []string{"127.0.0.1:1"} },
		"rate":     func(c *node.Config) { c.Up = -1 },
		"listen":   func(c *node.Config) { c.Listen = "nonsense" },
	} {
		cfg := good
		spoil(&cfg)
		if _, err := node.New(t.Context(), cfg); !errors.Is(err, shoal.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func read(t *testing.T, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
