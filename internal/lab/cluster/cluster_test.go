//go:build linux

package cluster_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/internal/lab"
	"github.com/shoal-cdn/shoal/internal/lab/cluster"
	napi "github.com/shoal-cdn/shoal/node/api"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// standIn, when set in the environment, makes this test binary answer to the
// command line of shoal instead of running tests.
const standIn = "SHOAL_LAB_STAND_IN"

func TestMain(m *testing.M) {
	if os.Getenv(standIn) != "" {
		if err := shoalMain(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// shoalMain is the least of shoal that this package can be tested with: what it
// was called with is what it answers.
func shoalMain(args []string) error {
	flag := func(name string) string {
		if i := slices.Index(args, name); i >= 0 && i+1 < len(args) {
			return args[i+1]
		}
		return ""
	}
	out := json.NewEncoder(os.Stdout)
	switch {
	case flag("--name") == "broken":
		return errors.New("broken on purpose")
	case args[0] == "tracker":
		return serve(flag("--listen"), args)
	case args[0] == "node":
		return serve(flag("--http"), args)
	case args[0] == "seed":
		return out.Encode(napi.Seeded{Content: shoal.ContentID{1}, Name: args[1], Size: 42})
	case args[0] == "task":
		id, err := shoal.ParseContentID(args[2])
		task := tapi.Task{ID: "t1", Content: id, State: tapi.Succeeded}
		for _, name := range strings.Split(flag("--nodes"), ",") {
			state := tapi.Succeeded
			if name == "missing" {
				state, task.State, err = tapi.Failed, tapi.Failed, errors.New("node missing failed")
			}
			task.Nodes = append(task.Nodes, tapi.SubTask{Node: name, State: state})
		}
		// Progress comes first; only the last value counts.
		return errors.Join(out.Encode(tapi.Task{State: tapi.Running}), out.Encode(task), err)
	}
	return fmt.Errorf("unexpected command line %q", args)
}

func serve(addr string, args []string) error {
	fmt.Println("started:", strings.Join(args, " "))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /v1/contents/{id}", func(w http.ResponseWriter, r *http.Request) {
		id, err := shoal.ParseContentID(r.PathValue("id"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		json.NewEncoder(w).Encode(napi.Content{ID: id, PiecesHeld: 7})
	})
	return http.ListenAndServe(addr, mux)
}

func TestCluster(t *testing.T) {
	l := lab.Start(t)
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(standIn, "1")
	carrier, err := l.AddCarrier("isp")
	if err != nil {
		t.Fatal(err)
	}
	host := func(name string) *lab.Host {
		t.Helper()
		h, err := l.AddHost(name, lab.HostConfig{Carrier: carrier})
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	ctx := t.Context()
	c := cluster.New(t, binary)

	tracker, err := c.StartTracker(ctx, host("t"), "--further")
	if err != nil {
		t.Fatal(err)
	}
	checkLog(t, tracker.Server, fmt.Sprintf("started: tracker --listen 198.18.1.2:7070 --data %s --further", tracker.Dir), 1)

	node, err := c.StartNode(ctx, host("n1"), cluster.NodeConfig{
		Trackers: []string{tracker.URL},
		Locality: shoal.Locality{Carrier: "isp", Site: "s1"},
		Up:       2_500_000, Down: 5_000_000,
		Args: []string{"--further"},
	})
	if err != nil {
		t.Fatal(err)
	}
	started := fmt.Sprintf("started: node --tracker http://198.18.1.2:7070 --data %s --listen 198.18.1.3:7000 "+
		"--http 198.18.1.3:7080 --name n1 --gateway 198.18.1.3:7180 --gateway-tls 198.18.1.3:7280 --carrier isp --site s1 --up 20Mbit --down 40Mbit --further", node.Dir)
	checkLog(t, node.Server, started, 1)

	seeded, err := node.Seed(ctx, "/some/file")
	if err != nil || seeded.Name != "/some/file" || seeded.Size != 42 {
		t.Errorf("seed: %+v, error %v", seeded, err)
	}
	task, err := tracker.Distribute(ctx, seeded.Content, "n1", "n2")
	if err != nil || task.ID != "t1" || len(task.Nodes) != 2 || task.Content != seeded.Content {
		t.Errorf("distribute: %+v, error %v", task, err)
	}
	task, err = tracker.Distribute(ctx, seeded.Content, "n1", "missing")
	if err == nil || !strings.Contains(err.Error(), "node missing failed") || task.Nodes[1].State != tapi.Failed {
		t.Errorf("a failing task: %+v, error %v", task, err)
	}
	if got, err := node.Content(ctx, seeded.Content); err != nil || got.ID != seeded.Content || got.PiecesHeld != 7 {
		t.Errorf("content: %+v, error %v", got, err)
	}
	if err := node.Get(ctx, "/nothing", nil); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("a missing page: error %v, want 404", err)
	}

	// kill -9 and the same command line again.
	if err := node.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := node.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	checkLog(t, node.Server, started, 2)

	if _, err := c.StartNode(ctx, host("broken"), cluster.NodeConfig{}); err == nil || !strings.Contains(err.Error(), "broken on purpose") {
		t.Errorf("a node that ends at once: error %v, want the end of its log", err)
	}
}

// checkLog looks for a line in what a process that is ready has written.
func checkLog(t *testing.T, s *cluster.Server, line string, times int) {
	t.Helper()
	log, err := s.LogTail(100)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(log, line); got != times {
		t.Errorf("log of %s has this line %d times, want %d:\n%s\nin\n%s", s.Name(), got, times, line, log)
	}
}
