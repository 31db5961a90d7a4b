package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/ingest/api"
	"github.com/shoal-cdn/shoal/node/ingest/uploads"
	"github.com/shoal-cdn/shoal/node/store"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// fakeLibrary hosts contents, and notes which pieces the swarm was told.
type fakeLibrary struct {
	mu      sync.Mutex
	hosted  map[shoal.ContentID]*fakeHosted
	corrupt int // pieces that did not verify
}

type fakeHosted struct {
	lib  *fakeLibrary
	c    store.Content
	told []int
}

func (l *fakeLibrary) Host(_ context.Context, c store.Content) (Hosted, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	id := c.Manifest().ID()
	if l.hosted[id] != nil {
		return nil, shoal.ErrConflict
	}
	h := &fakeHosted{lib: l, c: c}
	if l.hosted == nil {
		l.hosted = make(map[shoal.ContentID]*fakeHosted)
	}
	l.hosted[id] = h
	return h, nil
}

func (h *fakeHosted) Deliver(_ context.Context, piece int, data []byte) error {
	h.lib.mu.Lock()
	defer h.lib.mu.Unlock()
	if !h.c.Manifest().VerifyPiece(piece, data) {
		h.lib.corrupt++
		return shoal.ErrCorrupt
	}
	h.told = append(h.told, piece)
	return nil
}

func (h *fakeHosted) Running() bool { return true }

func (h *fakeHosted) End() {
	h.lib.mu.Lock()
	defer h.lib.mu.Unlock()
	delete(h.lib.hosted, h.c.Manifest().ID())
}

func (l *fakeLibrary) told(id shoal.ContentID) []int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.hosted[id] == nil {
		return nil
	}
	return slices.Sorted(slices.Values(l.hosted[id].told))
}

// fakeTracker takes everything; it is away at first.
type fakeTracker struct {
	mu       sync.Mutex
	away     int // requests that it does not answer
	contents map[shoal.ContentID]bool
	tasks    []tapi.NewTask
	nodes    []tapi.Node
}

func (t *fakeTracker) answer() error {
	if t.away--; t.away >= 0 {
		return shoal.ErrUnavailable
	}
	return nil
}

func (t *fakeTracker) PutContent(_ context.Context, torrent []byte) (tapi.Content, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	m, err := shoal.DecodeManifest(torrent)
	if err := errors.Join(err, t.answer()); err != nil {
		return tapi.Content{}, err
	}
	if t.contents == nil {
		t.contents = make(map[shoal.ContentID]bool)
	}
	t.contents[m.ID()] = true
	return tapi.Content{ID: m.ID()}, nil
}

func (t *fakeTracker) CreateTask(_ context.Context, task tapi.NewTask) (tapi.Task, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.contents[task.Content] {
		return tapi.Task{}, shoal.ErrNotFound
	}
	t.tasks = append(t.tasks, task)
	return tapi.Task{ID: task.ID}, nil
}

func (t *fakeTracker) Nodes(context.Context) ([]tapi.Node, error) { return t.nodes, nil }

// bench is a service behind a real HTTP server.
type bench struct {
	t       *testing.T
	dir     string
	service *Service
	library *fakeLibrary
	tracker *fakeTracker
	url     string
}

func newBench(t *testing.T, dir string) *bench {
	t.Helper()
	st, err := uploads.Open(uploads.Config{Dir: dir, Limits: uploads.Limits{Size: 1 << 30}})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, dir: dir, library: &fakeLibrary{}, tracker: &fakeTracker{away: 1}}
	if b.service, err = New(Config{Store: st, Library: b.library, Tracker: b.tracker, Name: "n"}); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(b.service.Handler())
	b.url = srv.URL
	t.Cleanup(func() {
		srv.Close()
		if err := errors.Join(b.service.Close(), st.Close()); err != nil {
			t.Error(err)
		}
	})
	return b
}

// call sends a request and decodes the answer into v, unless that is nil.
func (b *bench) call(method, path string, body io.Reader, header http.Header, v any) int {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, body)
	if err != nil {
		b.t.Fatal(err)
	}
	for k, vs := range header {
		req.Header[k] = vs
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	if v != nil {
		if err := json.Unmarshal(text, v); err != nil {
			b.t.Fatalf("%s %s: %d %q: %v", method, path, resp.StatusCode, text, err)
		}
	}
	return resp.StatusCode
}

func (b *bench) post(d *api.Description) (st api.Status, status int) {
	b.t.Helper()
	body, err := json.Marshal(d)
	if err != nil {
		b.t.Fatal(err)
	}
	status = b.call(http.MethodPost, api.Path, bytes.NewReader(body), nil, &st)
	return st, status
}

func digestOf(data []byte) http.Header {
	return http.Header{api.ContentDigest: {api.DigestOf(data).Field()}}
}

func (b *bench) put(task string, first, count int, data []byte, v any) int {
	b.t.Helper()
	return b.call(http.MethodPut, api.ChunksPath(task, first, count), bytes.NewReader(data), digestOf(data), v)
}

const pieces = 5

// describe makes a file of pieces.
func describe(t *testing.T) (*api.Description, []byte, *shoal.Manifest) {
	t.Helper()
	var data []byte
	for i := range pieces {
		data = append(data, bytes.Repeat([]byte{byte('a' + i)}, shoal.MinPieceLength)...)
	}
	path := filepath.Join(t.TempDir(), "file.bin")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	m, err := shoal.BuildManifest(t.Context(), path, shoal.BuildOptions{PieceLength: shoal.MinPieceLength})
	if err != nil {
		t.Fatal(err)
	}
	return &api.Description{Task: "t", Torrent: m.Torrent()}, data, m
}

func piece(data []byte, k, count int) []byte {
	return data[k*shoal.MinPieceLength : (k+count)*shoal.MinPieceLength]
}

// R3, R4, B3, M10: what arrives is acknowledged, told to the swarm at once, and distributed.
func TestProtocol(t *testing.T) {
	b := newBench(t, t.TempDir())
	d, data, m := describe(t)
	d.Distribute = &api.Distribute{NewTask: tapi.NewTask{Nodes: []string{"edge"}}}
	st, status := b.post(d)
	if status != http.StatusCreated || st.Content != m.ID().String() || st.Next != 0 || st.Server != "n" {
		t.Fatalf("%d %+v", status, st)
	}
	var ack api.Ack
	if status := b.put("t", 1, 2, piece(data, 1, 2), &ack); status != http.StatusOK || ack.Next != 0 || len(ack.Missing) > 0 {
		t.Fatalf("%d %+v", status, ack)
	}
	if got := b.library.told(m.ID()); !slices.Equal(got, []int{1, 2}) {
		t.Errorf("the swarm was told %v", got)
	}
	if st, status = b.post(d); status != http.StatusOK || !slices.Equal(st.Missing, []api.Run{{First: 0, Count: 1}, {First: 3, Count: 2}}) {
		t.Fatalf("resume: %d %+v", status, st)
	}
	var p api.Problem
	if status := b.call(http.MethodPost, api.CompletePath("t"), nil, nil, &p); status != http.StatusConflict || !slices.Equal(p.Missing, st.Missing) {
		t.Fatalf("complete too early: %d %+v", status, p)
	}
	for _, k := range []int{4, 0, 3, 3} { // once more does no harm
		if status := b.put("t", k, 1, piece(data, k, 1), &ack); status != http.StatusOK {
			t.Fatalf("chunk %d: %d", k, status)
		}
	}
	if ack.Next != pieces {
		t.Errorf("next %d", ack.Next)
	}
	for range 2 {
		if status := b.call(http.MethodPost, api.CompletePath("t"), nil, nil, &st); status != http.StatusOK || st.State != api.Complete {
			t.Fatalf("complete: %d %+v", status, st)
		}
	}
	b.until("the task", func() bool {
		b.call(http.MethodGet, api.UploadPath("t"), nil, nil, &st)
		return st.Distributed
	})
	if len(b.tracker.tasks) != 1 || b.tracker.tasks[0].ID != "t" || b.tracker.tasks[0].Content != m.ID() {
		t.Errorf("tasks %+v", b.tracker.tasks)
	}
	if status := b.call(http.MethodDelete, api.UploadPath("t"), nil, nil, nil); status != http.StatusNoContent {
		t.Errorf("delete: %d", status)
	}
	if status := b.call(http.MethodGet, api.UploadPath("t"), nil, nil, nil); status != http.StatusNotFound {
		t.Errorf("after delete: %d", status)
	}
	if len(b.library.hosted) != 0 {
		t.Error("still hosted")
	}
}

// until waits for something that goes on beside requests.
func (b *bench) until(what string, ok func() bool) {
	b.t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			b.t.Fatalf("%s does not come", what)
		}
	}
}

// L1, B3: what another server of the store has taken is told to the swarm here, and hosted after a restart.
func TestFollowsOthers(t *testing.T) {
	dir := t.TempDir()
	one, two := newBench(t, dir), newBench(t, dir)
	d, data, m := describe(t)
	one.post(d)
	two.post(d)
	if status := one.put("t", 0, 3, piece(data, 0, 3), nil); status != http.StatusOK {
		t.Fatal(status)
	}
	two.service.follow(t.Context())
	if got := two.library.told(m.ID()); !slices.Equal(got, []int{0, 1, 2}) {
		t.Errorf("told %v", got)
	}
	three := newBench(t, dir)
	three.service.resume(t.Context())
	if h := three.library.hosted[m.ID()]; h == nil || h.c.Pieces().Count() != 3 {
		t.Error("not hosted after a restart")
	}
	if status := two.put("t", 3, 2, piece(data, 3, 2), nil); status != http.StatusOK {
		t.Fatal(status)
	}
	if status := two.call(http.MethodPost, api.CompletePath("t"), nil, nil, nil); status != http.StatusOK {
		t.Fatal(status)
	}
	three.service.follow(t.Context())
	if h := three.library.hosted[m.ID()]; !h.c.InPlace() || !slices.Equal(three.library.told(m.ID()), []int{3, 4}) {
		t.Error("the third server does not know the end")
	}
}

func TestRefusals(t *testing.T) {
	b := newBench(t, t.TempDir())
	d, data, _ := describe(t)
	b.post(d)
	good := piece(data, 1, 2)
	bad := slices.Clone(good)
	bad[shoal.MinPieceLength+3] ^= 1
	sha512 := http.Header{api.ContentDigest: {"sha-512=:AAAA:"}}
	for name, c := range map[string]struct {
		path   string
		body   io.Reader
		header http.Header
		status int
		check  func(p api.Problem) bool
	}{
		"no such upload":     {"/v1/uploads/x/chunks/0", bytes.NewReader(good), digestOf(good), 404, nil},
		"task escapes":       {"/v1/uploads/..%2fx/chunks/0", bytes.NewReader(good), digestOf(good), 400, nil},
		"no digest":          {"/v1/uploads/t/chunks/1-2", bytes.NewReader(good), nil, 400, nil},
		"unknown digest":     {"/v1/uploads/t/chunks/1-2", bytes.NewReader(good), sha512, 400, nil},
		"no number":          {"/v1/uploads/t/chunks/one", bytes.NewReader(good), digestOf(good), 400, nil},
		"backwards":          {"/v1/uploads/t/chunks/2-1", bytes.NewReader(good), digestOf(good), 400, nil},
		"2^63":               {"/v1/uploads/t/chunks/0-9223372036854775808", bytes.NewReader(good), digestOf(good), 400, nil},
		"out of range":       {"/v1/uploads/t/chunks/4-5", bytes.NewReader(good), digestOf(good), 400, nil},
		"too long":           {"/v1/uploads/t/chunks/1", bytes.NewReader(good), digestOf(good), 400, nil},
		"too short":          {"/v1/uploads/t/chunks/1-3", bytes.NewReader(good), digestOf(good), 400, nil},
		"too long, no size":  {"/v1/uploads/t/chunks/3", io.MultiReader(bytes.NewReader(piece(data, 3, 1)), strings.NewReader("x")), digestOf(good), 400, nil},
		"too short, no size": {"/v1/uploads/t/chunks/4", io.MultiReader(strings.NewReader("x")), digestOf(good), 400, nil},
		"another digest": {"/v1/uploads/t/chunks/1", bytes.NewReader(piece(data, 1, 1)), digestOf(good), 422, func(p api.Problem) bool {
			return p.Kind == "corrupt" && len(p.Refused) == 0
		}},
		"one bit": {"/v1/uploads/t/chunks/1-2", bytes.NewReader(bad), digestOf(bad), 422, func(p api.Problem) bool {
			return p.Kind == "corrupt" && slices.Equal(p.Refused, []api.Run{{First: 2, Count: 1}})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var p api.Problem
			if status := b.call(http.MethodPut, c.path, c.body, c.header, &p); status != c.status || c.check != nil && !c.check(p) {
				t.Errorf("%d %+v, want %d", status, p, c.status)
			}
		})
	}
	for name, body := range map[string]string{
		"no JSON": "x", "2^63": `{"task":"u","name":"f","size":9223372036854775808}`, "name escapes": `{"task":"u","name":"../f","size":1}`,
	} {
		if status := b.call(http.MethodPost, api.Path, strings.NewReader(body), nil, nil); status != http.StatusBadRequest {
			t.Errorf("%s: %d", name, status)
		}
	}
	if status := b.call(http.MethodPost, api.Path, strings.NewReader(`{"task":"u","name":"f","size":2147483648}`), nil, nil); status != http.StatusRequestEntityTooLarge {
		t.Errorf("too large: %d", status)
	}
	var st api.Status
	b.call(http.MethodGet, api.UploadPath("t"), nil, nil, &st)
	if want := []api.Run{{First: 0, Count: 1}, {First: 2, Count: 1}, {First: 4, Count: 1}}; !slices.Equal(st.Missing, want) {
		t.Errorf("missing %v, want %v", st.Missing, want)
	}
}

// A connection that breaks costs the chunk it was at, and none before.
func TestBrokenBody(t *testing.T) {
	b := newBench(t, t.TempDir())
	d, data, _ := describe(t)
	b.post(d)
	body, sender := io.Pipe()
	go func() {
		_, _ = sender.Write(data[:2*shoal.MinPieceLength+100])
		_ = sender.CloseWithError(errors.New("the cable is pulled"))
	}()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, b.url+api.ChunksPath("t", 0, pieces), body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = digestOf(data)
	if _, err := http.DefaultTransport.RoundTrip(req); err == nil {
		t.Fatal("no error")
	}
	var st api.Status
	b.until("the second chunk", func() bool {
		b.call(http.MethodGet, api.UploadPath("t"), nil, nil, &st)
		return st.Next == 2
	})
}

// Without torrent and digests a request is kept whole or not at all.
func TestUndigested(t *testing.T) {
	b := newBench(t, t.TempDir())
	const chunk = api.MinChunkBytes
	data := bytes.Repeat([]byte("0123456789abcdef"), 7*chunk/32)
	b.post(&api.Description{Task: "t", Name: "f", Size: int64(len(data)), ChunkSize: chunk})
	var p api.Problem
	if status := b.call(http.MethodPut, api.ChunksPath("t", 0, 2), bytes.NewReader(data[:2*chunk]), digestOf(data), &p); status != 422 || !slices.Equal(p.Refused, []api.Run{{First: 0, Count: 2}}) {
		t.Errorf("%d %+v", status, p)
	}
	var ack api.Ack
	if status := b.put("t", 0, 4, data, &ack); status != 200 || ack.Next != 4 {
		t.Errorf("%d %+v", status, ack)
	}
	var st api.Status
	if status := b.call(http.MethodPost, api.CompletePath("t"), nil, nil, &st); status != 200 || st.Content == "" {
		t.Errorf("%d %+v", status, st)
	}
	if len(b.library.hosted) != 1 {
		t.Error("not hosted")
	}
}

func TestDistributeAll(t *testing.T) {
	node := func(name string, f func(n *tapi.Node)) tapi.Node {
		n := tapi.Node{NodeInfo: tapi.NodeInfo{Name: name}, Alive: true}
		f(&n)
		return n
	}
	tr := &fakeTracker{contents: map[shoal.ContentID]bool{{1}: true}, nodes: []tapi.Node{
		node("edge", func(*tapi.Node) {}),
		node("self", func(*tapi.Node) {}),
		node("guest", func(n *tapi.Node) { n.Guest = true }),
		node("other", func(n *tapi.Node) { n.Ingest = true }),
		node("dead", func(n *tapi.Node) { n.Alive = false }),
	}}
	task := tapi.NewTask{ID: "t", Content: shoal.ContentID{1}, Nodes: []string{tapi.AllNodes}}
	for dest, want := range map[string][]string{"": {tapi.AllNodes}, "a/b": {"edge"}} {
		task.Dest, tr.tasks = dest, nil
		if err := distribute(t.Context(), tr, task, "self"); err != nil || !slices.Equal(tr.tasks[0].Nodes, want) {
			t.Errorf("to %q: %v: %v", dest, tr.tasks, err)
		}
	}
}

// M10: a file and its task file, and what becomes of them.
func TestDrop(t *testing.T) {
	b := newBench(t, t.TempDir())
	b.tracker.contents = map[shoal.ContentID]bool{{7}: true}
	dir := t.TempDir()
	var seeded []string
	d := &Drop{Dir: dir, Seed: func(_ context.Context, path string) (shoal.ContentID, error) {
		seeded = append(seeded, filepath.Base(path))
		return shoal.ContentID{7}, nil
	}}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	look := func() {
		t.Helper()
		if err := d.look(t.Context(), b.service); err != nil {
			t.Fatal(err)
		}
	}
	there := func(name string) bool {
		_, err := os.Stat(filepath.Join(dir, name))
		return err == nil
	}
	write("a", "data")
	write("a.task.yaml", "nodes: [edge]\ndest: x/a\n")
	write("b", "data")
	write("b.task.json", `{"nodes":["edge"],"prio":3}`)
	write("c.task.json", `{"nodes":["edge"]}`) // its file is still to come
	write("d", "data")
	look()
	if len(seeded) > 0 {
		t.Fatalf("taken at first sight: %v", seeded)
	}
	look()
	if !slices.Equal(seeded, []string{"a"}) || !there("a.done.json") || !there("b.error") || there("c.error") {
		t.Fatalf("seeded %v", seeded)
	}
	if len(b.tracker.tasks) != 1 || b.tracker.tasks[0].Dest != "x/a" {
		t.Errorf("tasks %+v", b.tracker.tasks)
	}
	look()
	look()
	later := time.Now().Add(time.Minute)
	write("b.task.json", `{"nodes":["edge"]}`)
	if err := os.Chtimes(filepath.Join(dir, "b.task.json"), later, later); err != nil {
		t.Fatal(err)
	}
	look()
	look()
	if !slices.Equal(seeded, []string{"a", "b"}) || !there("b.done.json") {
		t.Errorf("seeded %v", seeded)
	}
}

func FuzzTask(f *testing.F) {
	f.Add([]byte(`{"nodes":["a"],"dest":"x"}`), false)
	f.Add([]byte("nodes: [a]\n"), true)
	f.Add([]byte("a: &a [*a]\n"), true)
	f.Add([]byte(`{"nodes":["a"],"content":"00"}`), false)
	f.Add([]byte(`{"nodes":["a"],"priority":-11}`), false)
	f.Add([]byte("nodes: [a]\npriority: high\n"), true)
	f.Fuzz(func(t *testing.T, b []byte, isYAML bool) {
		task, err := DecodeTask(b, isYAML)
		if err == nil && (len(task.Nodes) == 0 || task.Check() != nil) {
			t.Errorf("%q: %+v", b, task)
		}
		if err != nil && !errors.Is(err, shoal.ErrInvalid) {
			t.Errorf("%q: %v", b, err)
		}
	})
}
