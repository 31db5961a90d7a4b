package node_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node"
	"github.com/shoal-cdn/shoal/node/api"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// Every refusal is a problem (RFC 9457) with the status of its kind.
func TestRefusals(t *testing.T) {
	n := startNode(t, "a", t.TempDir(), "http://127.0.0.1:1")
	id := strings.Repeat("ab", 32)
	for _, c := range []struct {
		name, method, path, body string
		header                   http.Header
		status                   int
		says                     string
	}{
		{"unknown content", "GET", "/v1/contents/" + id, "", nil, 404, "not found"},
		{"bad content ID", "GET", "/v1/contents/xyz", "", nil, 400, "hexadecimal"},
		{"delete unknown", "DELETE", "/v1/contents/" + id, "", nil, 404, "not found"},
		{"no body", "POST", "/v1/contents", "", nil, 400, "request body"},
		{"no content", "POST", "/v1/contents", "{}", nil, 400, "no content"},
		{"path leads out", "POST", "/v1/contents", `{"content":"` + id + `","dest":"../x"}`, nil, 400, "destination"},
		{"body too large", "POST", "/v1/contents", `{"dest":"` + strings.Repeat("x", 1<<17) + `"}`, nil, 400, "too large"},
		{"relative seed", "POST", "/v1/seeds", `{"path":"film.bin"}`, nil, 400, "absolute"},
		{"seed of nothing", "POST", "/v1/seeds", `{"path":"/nowhere/film.bin"}`, nil, 404, "no such file"},
		{"unknown operation", "GET", "/v1/nothing", "", nil, 404, "no such operation"},
		{"a browser's page elsewhere", "POST", "/v1/seeds", `{"path":"/x"}`, http.Header{"Sec-Fetch-Site": {"cross-site"}}, 403, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), c.method, n.URL()+c.path, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			for k, v := range c.header {
				req.Header[k] = v
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if c.status == 403 {
				if resp.StatusCode != 403 {
					t.Errorf("status %d", resp.StatusCode)
				}
				return
			}
			var p tapi.Problem
			err = json.NewDecoder(resp.Body).Decode(&p)
			if err != nil || resp.StatusCode != c.status || p.Status != c.status || !strings.Contains(p.Detail, c.says) ||
				resp.Header.Get("Content-Type") != tapi.ProblemType {
				t.Errorf("status %d, %+v, %v; want %d, %q", resp.StatusCode, p, err, c.status, c.says)
			}
		})
	}
}

// Without a tracker a node is ready, and says what is wrong.
func TestNoTracker(t *testing.T) {
	n := startNode(t, "a", t.TempDir(), "http://127.0.0.1:1")
	eventually(t, "the node notices", func() bool {
		return strings.Contains(get(t, n.URL()+"/readyz"), "connection refused")
	})
	if ready := get(t, n.URL()+"/readyz"); !strings.Contains(ready, `"ready":true`) {
		t.Errorf("readyz: %s", ready)
	}
	if s, err := n.Client.Status(t.Context()); err != nil || s.Tracker != "" || s.Node.ID != n.ID() {
		t.Errorf("status: %+v, %v", s, err)
	}
}

// An operator's own request, and what the node tells of it.
func TestFetchByAPI(t *testing.T) {
	url, tc := startTracker(t)
	a := startNode(t, "a", t.TempDir(), url)
	b := startNode(t, "b", t.TempDir(), url)
	liveNodes(t, tc, 2)
	folder := filepath.Join(t.TempDir(), "site")
	for name, size := range map[string]int{"index.html": 500, "img/a.png": 70_000, "empty": 0} {
		if err := os.MkdirAll(filepath.Join(folder, filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(folder, name), size)
	}
	seeded, err := a.Seed(t.Context(), folder, nil)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := a.Seed(t.Context(), folder, nil); err != nil || again != seeded {
		t.Errorf("seeded again: %+v, %v", again, err)
	}
	if _, err := b.Fetch(t.Context(), api.Fetch{Content: seeded.Content}); err != nil {
		t.Fatal(err)
	}
	var c api.Content
	eventually(t, "b has it", func() bool {
		c, err = b.Content(t.Context(), seeded.Content)
		return err == nil && c.Role == tapi.Holder
	})
	if c.Path != filepath.Join(b.data, "files/site") || c.PiecesHeld != c.Pieces || c.Size != 70_500 || c.Bytes.Origin != 70_500 {
		t.Errorf("content: %+v", c)
	}
	if _, err := os.Stat(filepath.Join(b.data, "files/site/img/a.png")); err != nil {
		t.Error(err)
	}
	metrics := get(t, b.URL()+"/metrics")
	for _, line := range []string{
		`shoal_node_received_bytes_total{source="origin"} 70500`,
		`shoal_node_contents{role="holder"} 1`,
		`shoal_node_announces_total{result="failed"} 0`,
		`shoal_node_sub_tasks{state="running"} 0`,
		// B2: as shoal task show --why has them.
		`shoal_node_fetch_seconds_total{reason="active"} `,
		`shoal_node_fetch_seconds_total{reason="disk"} 0`,
		`shoal_node_fetch_seconds_total{reason="lease"} `,
		`shoal_node_fetch_seconds_total{reason="limit"} 0`,
		`shoal_node_fetch_seconds_total{reason="no_peer"} `,
		`shoal_node_fetch_seconds_total{reason="slow_peer"} `,
		`shoal_node_fetch_seconds_total{reason="upstream"} `,
	} {
		if !strings.Contains(metrics, line) {
			t.Errorf("metrics lack %s", line)
		}
	}
	_, err = b.Fetch(t.Context(), api.Fetch{Content: shoal.ContentID{1}})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "a content that no tracker knows fails", func() bool {
		c, err := b.Content(t.Context(), shoal.ContentID{1})
		return err == nil && strings.Contains(c.Error, "not found")
	})
}

// A content of empty files has no pieces: nothing needs to be fetched, and it
// has to arrive all the same.
func TestEmptyContent(t *testing.T) {
	url, tc := startTracker(t)
	a := startNode(t, "a", t.TempDir(), url)
	b := startNode(t, "b", t.TempDir(), url)
	liveNodes(t, tc, 2)
	path := filepath.Join(t.TempDir(), "empty")
	writeFile(t, path, 0)
	seeded, err := a.Seed(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	task, err := tc.CreateTask(t.Context(), tapi.NewTask{Content: seeded.Content, Nodes: []string{"all"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := finished(t, tc, task.ID); got.State != tapi.Succeeded || len(got.Nodes) != 2 {
		t.Errorf("task: %+v", got)
	}
	if info, err := os.Stat(filepath.Join(b.data, "files/empty")); err != nil || info.Size() != 0 {
		t.Errorf("%v, %v", info, err)
	}
}

// node/api: cutting the connection of POST /v1/seeds cancels the hashing.
func TestSeedCancelled(t *testing.T) {
	failed := make(chan struct{})
	log := slog.New(watchLog{slog.DiscardHandler, "seeding failed", sync.OnceFunc(func() { close(failed) })})
	n := start(t, node.Config{Name: "a", Data: t.TempDir(), Trackers: []string{"http://127.0.0.1:1"}, Log: log})
	path := filepath.Join(t.TempDir(), "sparse")
	writeFile(t, path, 0)
	if err := os.Truncate(path, 1<<40); err != nil { // hours of hashing
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err := n.Seed(ctx, path, func(_, total int64) {
		if total != 1<<40 {
			t.Errorf("total %d", total)
		}
		cancel()
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("seed: %v", err)
	}
	select {
	case <-failed:
	case <-time.After(time.Minute):
		t.Error("the node goes on hashing")
	}
}

// watchLog calls then for records with a given message.
type watchLog struct {
	slog.Handler
	message string
	then    func()
}

func (w watchLog) Enabled(context.Context, slog.Level) bool { return true }

func (w watchLog) Handle(_ context.Context, r slog.Record) error {
	if r.Message == w.message {
		w.then()
	}
	return nil
}

func get(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return read(t, resp.Body)
}
