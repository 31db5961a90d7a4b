//go:build linux

package system

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/internal/lab"
	"github.com/shoal-cdn/shoal/internal/lab/cluster"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

const mbit = shoal.Rate(1e6 / 8)

// wirePayload is the share of payload in a full Ethernet frame of TCP: the
// rates of the lab's links count whole frames.
const wirePayload = 1448.0 / 1514

var fileSize = 16 * shoal.Size(1<<20)

// binary is the path of the shoal binary under test, built on first use.
var binary = sync.OnceValues(func() (string, error) {
	path := filepath.Join(binaryDir, "shoal")
	out, err := exec.Command("go", "build", "-o", path, "github.com/shoal-cdn/shoal/cmd/shoal").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build shoal: %w\n%s", err, out)
	}
	return path, nil
})

var binaryDir string

func TestMain(m *testing.M) {
	if kind := os.Getenv(evilKind); kind != "" {
		fmt.Fprintln(os.Stderr, beEvil(kind))
		os.Exit(1)
	}
	if counted := os.Getenv(forgerCounts); counted != "" {
		fmt.Fprintln(os.Stderr, beForger(counted))
		os.Exit(1)
	}
	flag.Var(&fileSize, "shoal.size", "size of the file that is distributed")
	// Tests wait for thin links more than they compute. -parallel has its say after that.
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err)
	}
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "shoal-system-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binaryDir = dir
	return m.Run()
}

// world is a lab with one carrier, a tracker, an origin and nodes.
type world struct {
	t       *testing.T
	lab     *lab.Lab
	carrier *lab.Carrier
	cluster *cluster.Cluster
	tracker *cluster.Tracker
	origin  *cluster.Node
	nodes   []*cluster.Node
}

// emptyWorld is a lab without hosts.
func emptyWorld(t *testing.T) *world {
	t.Helper()
	l := lab.Start(t)
	bin, err := binary()
	must(t, err)
	return &world{t: t, lab: l, cluster: cluster.New(t, bin)}
}

// trackedWorld is a lab with one carrier, and a tracker on a host without limits.
func trackedWorld(t *testing.T) *world {
	t.Helper()
	w := emptyWorld(t)
	var err error
	w.carrier, err = w.lab.AddCarrier("isp")
	must(t, err)
	w.tracker, err = w.cluster.StartTracker(t.Context(), w.host("tracker", 0))
	must(t, err)
	return w
}

// newWorld starts a tracker on a host without limits, and an origin and n nodes
// behind links of the given rate each way.
func newWorld(t *testing.T, n int, rate shoal.Rate, args ...string) *world {
	t.Helper()
	w := trackedWorld(t)
	w.origin = w.node("origin", rate, args...)
	w.nodes = make([]*cluster.Node, n)
	for i := range w.nodes {
		w.nodes[i] = w.node(fmt.Sprintf("n%02d", i), rate, args...)
	}
	return w
}

func (w *world) host(name string, rate shoal.Rate) *lab.Host {
	w.t.Helper()
	h, err := w.lab.AddHost(name, lab.HostConfig{Carrier: w.carrier, Up: rate, Down: rate})
	must(w.t, err)
	return h
}

func (w *world) node(name string, rate shoal.Rate, args ...string) *cluster.Node {
	w.t.Helper()
	n, err := w.cluster.StartNode(w.t.Context(), w.host(name, rate), cluster.NodeConfig{
		Trackers: []string{w.tracker.URL}, Up: rate, Down: rate, Args: args,
	})
	must(w.t, err)
	w.awaitSession(n)
	return n
}

// awaitSession waits until the tracker knows a node, so that a task can name it.
func (w *world) awaitSession(n *cluster.Node) {
	w.t.Helper()
	ctx := within(w.t, patience)
	for {
		var nodes []tapi.Node
		must(w.t, w.tracker.Get(ctx, "/v1/nodes", &nodes))
		if slices.ContainsFunc(nodes, func(known tapi.Node) bool { return known.Name == n.Name() }) {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// randomFile makes a file of n bytes that depend on the seed only.
func randomFile(t testing.TB, path string, n shoal.Size, seed uint64) {
	t.Helper()
	f, err := os.Create(path)
	must(t, err)
	defer f.Close()
	rng := rand.NewChaCha8([32]byte{byte(seed)})
	buf := make([]byte, 1<<20)
	for left := int64(n); left > 0; left -= int64(len(buf)) {
		buf = buf[:min(int64(len(buf)), left)]
		_, _ = rng.Read(buf)
		_, err := f.Write(buf)
		must(t, err)
	}
}

// seedFile has a node seed a new file, whose bytes depend on the seed only.
func seedFile(t testing.TB, n *cluster.Node, name string, size shoal.Size, seed uint64) (path string, id shoal.ContentID) {
	t.Helper()
	path = filepath.Join(t.TempDir(), name)
	randomFile(t, path, size, seed)
	seeded, err := n.Seed(t.Context(), path)
	must(t, err)
	return path, seeded.Content
}

// distribute runs a task to the nodes named and returns it when it has ended.
func (w *world) distribute(ctx context.Context, id shoal.ContentID, nodes ...string) tapi.Task {
	w.t.Helper()
	task, err := w.tracker.Distribute(ctx, id, nodes...)
	if err != nil {
		w.t.Errorf("task: %v: %+v", err, task)
	}
	return task
}

// patience is how long a test waits before it takes what has to come for lost. Tests
// run beside each other, on machines that have other things to do: it is many times
// what is usual.
const patience = 4 * time.Minute

// within bounds a test's waiting: a deadline, not an expectation.
func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// sameFile compares what a node published with the source.
func sameFile(t *testing.T, source string, n *cluster.Node) {
	t.Helper()
	sameBytes(t, n.Name(), source, filepath.Join(n.Dir, "files", filepath.Base(source)))
}
