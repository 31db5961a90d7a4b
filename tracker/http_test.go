package tracker

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

func newTracker(t testing.TB) *Tracker {
	t.Helper()
	return newTrackerWith(t, Config{})
}

// newTrackerWith is newTracker for a tracker that is configured, but for its data.
func newTrackerWith(t testing.TB, cfg Config) *Tracker {
	t.Helper()
	cfg.Data = t.TempDir()
	tr, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tr.Close() })
	return tr
}

// onLoopback serves a tracker until the test ends.
func onLoopback(t testing.TB, tr *Tracker) (url string, c *api.Client) {
	t.Helper()
	s := httptest.NewServer(tr.Handler())
	t.Cleanup(s.Close)
	return s.URL, must(api.NewClient([]string{s.URL}, s.Client()))
}

// TestErrorsOverHTTP: the kinds of errors survive the way to the client.
func TestErrorsOverHTTP(t *testing.T) {
	m := content(t, 1)
	_, c := onLoopback(t, newTracker(t))
	ctx := t.Context()
	must(c.PutContent(ctx, m.Torrent()))
	n := api.Announce{Session: "s", Full: true, Node: api.NodeInfo{ID: "id1", Name: "n"}}
	must(c.Announce(ctx, n))
	taken := n
	taken.Node.ID = "id2"
	unnamed := n
	unnamed.Node.Name = "all"
	none := shoal.ContentID{1}
	create := func(nodes, dest string, id shoal.ContentID) error {
		_, err := c.CreateTask(ctx, api.NewTask{Content: id, Nodes: strings.Fields(nodes), Dest: dest})
		return err
	}
	second := func(_ any, err error) error { return err }
	for _, tt := range []struct {
		name string
		err  error
		kind error
		text string
	}{
		{"name taken", second(c.Announce(ctx, taken)), shoal.ErrConflict, "announce: node n: conflict: the name belongs to node id1"},
		{"reserved name", second(c.Announce(ctx, unnamed)), shoal.ErrInvalid, `name "all"`},
		{"unknown content", second(c.Content(ctx, none)), shoal.ErrNotFound, none.Short()},
		{"unknown torrent", second(c.Torrent(ctx, none)), shoal.ErrNotFound, none.Short()},
		{"unknown task", second(c.Task(ctx, "none")), shoal.ErrNotFound, "none"},
		{"unknown task cancelled", second(c.CancelTask(ctx, "none")), shoal.ErrNotFound, "none"},
		{"malformed task ID", second(c.Task(ctx, "../nodes")), shoal.ErrInvalid, "../nodes"},
		{"not a torrent", second(c.PutContent(ctx, []byte("x"))), shoal.ErrInvalid, "register content"},
		{"task of unknown content", create("n", "", none), shoal.ErrNotFound, none.String()},
		{"task for nobody", create("", "", m.ID()), shoal.ErrInvalid, "no nodes"},
		{"task for unknown nodes", create("n x y", "", m.ID()), shoal.ErrNotFound, `no such node: "x", "y"`},
		{"absolute destination", create("n", "/etc/passwd", m.ID()), shoal.ErrInvalid, "/etc/passwd"},
		{"destination outside", create("n", "a/../../b", m.ID()), shoal.ErrInvalid, "below the node's files"},
		{"unclean destination", create("n", "a//b", m.ID()), shoal.ErrInvalid, `"a/b"`},
		{"priority", second(c.CreateTask(ctx, api.NewTask{Content: m.ID(), Nodes: []string{"n"}, Priority: 11})), shoal.ErrInvalid, "priority 11: want a whole number from -10 to 10"},
		{"backslashes", create("n", `a\b`, m.ID()), shoal.ErrInvalid, ""},
	} {
		if !errors.Is(tt.err, tt.kind) || !strings.Contains(tt.err.Error(), tt.text) {
			t.Errorf("%s: %v", tt.name, tt.err)
		}
	}
}

func TestRawHTTP(t *testing.T) {
	tr := newTracker(t)
	for _, tt := range []struct {
		name, method, path, body string
		header                   string // "Name: value"
		status                   int
		kind                     string
	}{
		{name: "unknown path", method: "GET", path: "/nope", status: 404, kind: "not_found"},
		{name: "unknown method", method: "DELETE", path: "/v1/nodes", status: 405, kind: "invalid"},
		{name: "no JSON", method: "POST", path: "/v1/announce", body: "{", status: 422, kind: "invalid"},
		{name: "empty", method: "POST", path: "/v1/announce", status: 400, kind: "invalid"},
		{name: "announce too large", method: "POST", path: "/v1/announce", body: strings.Repeat(" ", api.MaxAnnounceBytes+1), status: 413, kind: "invalid"},
		{name: "torrent too large", method: "PUT", path: "/v1/contents/" + (shoal.ContentID{}).String(), body: strings.Repeat(" ", api.MaxTorrentBytes+1), status: 413, kind: "invalid"},
		{name: "malformed content ID", method: "GET", path: "/v1/contents/x", status: 400, kind: "invalid"},
		{name: "malformed query", method: "GET", path: "/v1/tasks?limit=-1", status: 422, kind: "invalid"},
		{name: "no number as priority", method: "POST", path: "/v1/tasks", body: `{"nodes":["all"],"priority":"high"}`, status: 422, kind: "invalid"},
		{name: "from a page elsewhere", method: "POST", path: "/v1/tasks", header: "Sec-Fetch-Site: cross-site", status: 403, kind: "invalid"},
		{name: "unknown fields", method: "POST", path: "/v1/announce", status: 200,
			body: `{"node":{"id":"id1","name":"n","addrs":null,"later":1},"session":"s","full":true,"cursor":0,"x":[]}`},
		{name: "ready", method: "GET", path: "/readyz", status: 200},
		{name: "healthy", method: "GET", path: "/healthz", status: 200},
	} {
		req := httptest.NewRequest(tt.method, tt.path, strings.NewReader(tt.body))
		req.Header.Set("Content-Type", "application/json")
		if name, value, ok := strings.Cut(tt.header, ": "); ok {
			req.Header.Set(name, value)
		}
		w := httptest.NewRecorder()
		tr.Handler().ServeHTTP(w, req)
		if w.Code != tt.status {
			t.Errorf("%s: %d, want %d: %s", tt.name, w.Code, tt.status, w.Body)
		}
		if tt.kind == "" {
			continue
		}
		if p := api.ReadProblem(w.Result()); p.Kind != tt.kind || p.Detail == "" || w.Header().Get("Content-Type") != api.ProblemType {
			t.Errorf("%s: %s: %+v", tt.name, w.Header().Get("Content-Type"), p)
		}
	}
}

// TestOpenAPI: the document names every path of the protocol and is closed
// under its references.
func TestOpenAPI(t *testing.T) {
	url, _ := onLoopback(t, newTracker(t))
	body := fetch(t, url+"/openapi.json")
	var doc struct {
		Paths      map[string]map[string]json.RawMessage
		Components struct{ Schemas map[string]json.RawMessage }
	}
	if err := json.Unmarshal([]byte(body), &doc); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"/v1/announce", "/v1/nodes", "/v1/contents", "/v1/contents/{id}", "/v1/contents/{id}/torrent", "/v1/contents/{id}/peers", "/v1/tasks", "/v1/tasks/{task}", "/v1/tasks/{task}/cancel", "/v1/leases", "/v1/leases/{lease}"} {
		if len(doc.Paths[p]) == 0 {
			t.Errorf("%s is missing", p)
		}
	}
	for ref := range strings.SplitSeq(body, `"#/components/schemas/`) {
		name, _, _ := strings.Cut(ref, `"`)
		if doc.Components.Schemas[name] == nil && !strings.HasPrefix(ref, "{") {
			t.Errorf("schema %s is missing", name)
		}
	}
	var task struct {
		Properties struct {
			Task     struct{ Description string }
			Priority struct {
				Type             string
				Minimum, Maximum int
			}
		}
	}
	if err := json.Unmarshal(doc.Components.Schemas["NewTask"], &task); err != nil {
		t.Fatal(err)
	}
	if doc.Paths["/v1/tasks/{task}"]["patch"] == nil {
		t.Error("tasks cannot be changed")
	}
	if p := task.Properties.Priority; p.Type != "integer" || p.Minimum != int(api.MinPriority) || p.Maximum != int(api.MaxPriority) {
		t.Errorf("priority of a task: %+v", p)
	}
	if !strings.Contains(task.Properties.Task.Description, "present priority") {
		t.Errorf("ID of a task: %q", task.Properties.Task.Description)
	}
	if strings.Contains(body, "$schema") {
		t.Error("bodies have links to schemas")
	}
}

func TestMetrics(t *testing.T) {
	url, c := onLoopback(t, newTracker(t))
	must(c.Announce(t.Context(), api.Announce{Session: "s", Full: true, Node: api.NodeInfo{ID: "id1", Name: "n"}}))
	body := fetch(t, url+"/metrics")
	for _, line := range []string{
		"shoal_tracker_nodes_alive 1", "shoal_tracker_contents 0", `shoal_tracker_tasks{state="running"} 0`,
		`shoal_tracker_announces_total{result="started"} 1`, "shoal_tracker_announce_seconds_count 1", "shoal_tracker_announces_held 0",
	} {
		if !strings.Contains(body, line+"\n") {
			t.Errorf("no line %q", line)
		}
	}
}

func fetch(t *testing.T, url string) string {
	t.Helper()
	resp := must(http.Get(url))
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("%s: %s", url, resp.Status)
	}
	return string(must(io.ReadAll(resp.Body)))
}

// FuzzPost: no body makes the tracker panic or blame itself.
func FuzzPost(f *testing.F) {
	f.Add("/v1/announce", `{"node":{"id":"id1","name":"n","addrs":["/ip4/10.0.0.1/tcp/1"],"carrier":"c"},"session":"s","seq":3,"full":true,"holdings":[{"content":"`+strings.Repeat("01", 32)+`","role":"fetcher","pieces":{"total":9,"count":1,"bits":"gAA="}}],"gone":["`+strings.Repeat("02", 32)+`"],"sub_tasks":[{"task":"t","state":"running","bytes":{"origin":1},"faults":[{"peer":"id2","kind":"corrupt","count":1}]}],"cursor":1}`)
	f.Add("/v1/announce", `{"node":{"id":"id1","name":"n","addrs":[]},"session":"s","cursor":0,"leaving":true}`)
	f.Add("/v1/tasks", `{"content":"`+strings.Repeat("01", 32)+`","nodes":["all","n"],"dest":"a/b","priority":-3}`)
	f.Add("/v1/tasks/x/cancel", ``)
	f.Add("/v1/leases", `{"node":"id1","session":"s","content":"`+strings.Repeat("01", 32)+`","reason":"no_peers","kinds":["node"],"excluded":[{"upstream":"http://x/","reason":"404"}],"lease":"l","used":1,"done":true}`)
	f.Add("/v1/tasks", `{"content":"`+strings.Repeat("01", 32)+`","nodes":["n"],"limits":{"egress_copies":1,"egress_rate":5,"carriers":{"c":{"egress_copies":2}}}}`)
	tr := newTracker(f)
	f.Fuzz(func(t *testing.T, path, body string) {
		if !strings.HasPrefix(path, "/v1/") || strings.ContainsAny(path, " \r\n\x00%?#") || strings.Contains(body, "wait") {
			t.Skip() // not a path, or an answer that takes its time
		}
		req, err := http.NewRequest(http.MethodPost, "http://tracker"+path, strings.NewReader(body))
		if err != nil {
			t.Skip()
		}
		req.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		tr.Handler().ServeHTTP(w, req)
		if w.Code >= 500 {
			t.Errorf("%s: %d: %s", path, w.Code, w.Body)
		}
	})
}
