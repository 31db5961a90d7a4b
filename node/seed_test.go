package node_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/fallback"
	"github.com/shoal-cdn/shoal/node"
	"github.com/shoal-cdn/shoal/node/api"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// startOrigin serves a folder as a web server does.
func startOrigin(t *testing.T) (url, dir string) {
	t.Helper()
	dir = t.TempDir()
	files := http.FileServer(http.Dir(dir))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/endless":
			for {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		case "/hanging":
			w.Header().Set("ETag", `"v1"`)
			w.Header().Set("Content-Length", "1000000")
			_, _ = w.Write(make([]byte, 500_000))
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		case "/whole":
			r.Header.Del("Range")
			r.URL.Path = "/film.bin"
			fallthrough
		default:
			w.Header().Set("ETag", `"v1"`)
			files.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(func() { srv.CloseClientConnections(); srv.Close() })
	return srv.URL, dir
}

// startWebNode runs a node that fetches from URLs.
func startWebNode(t *testing.T, trackers ...string) *running {
	t.Helper()
	return start(t, node.Config{Name: "a", Data: t.TempDir(), Trackers: trackers, Web: &http.Client{}, WebMax: 5_000_000})
}

// M7: a content made from a URL is distributed like any other, and has the URL
// as its web seed.
func TestSeedFromURL(t *testing.T) {
	web, dir := startOrigin(t)
	data := writeFile(t, filepath.Join(dir, "film.bin"), 1_234_567)
	url, tc := startTracker(t)
	a := startWebNode(t, url)
	b := startNode(t, "b", t.TempDir(), url)
	liveNodes(t, tc, 2)

	var last api.SeedEvent
	seeded, err := a.SeedFrom(t.Context(), api.Seed{URL: web + "/film.bin", WebSeeds: []string{"http://mirror.example/f"}}, func(ev api.SeedEvent) { last = ev })
	if err != nil {
		t.Fatal(err)
	}
	if seeded.Name != "film.bin" || seeded.Size != int64(len(data)) || seeded.Warning != "" || last.Hashed != seeded.Size || last.Total != seeded.Size {
		t.Errorf("seeded %+v, last progress %+v", seeded, last)
	}
	c, err := tc.Content(t.Context(), seeded.Content)
	if err != nil || !slices.Equal(c.WebSeeds, []string{web + "/film.bin", "http://mirror.example/f"}) || c.Origins != 1 {
		t.Errorf("registered %+v, %v", c, err)
	}
	task, err := tc.CreateTask(t.Context(), tapi.NewTask{Content: seeded.Content, Nodes: []string{"b"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := finished(t, tc, task.ID); got.State != tapi.Succeeded {
		t.Fatalf("task: %+v", got)
	}
	if got, err := os.ReadFile(filepath.Join(b.data, "files/film.bin")); err != nil || !bytes.Equal(got, data) {
		t.Errorf("b has %d bytes, %v", len(got), err)
	}

	// It outlives a restart and is seeded again without harm; its space comes
	// back after it was removed.
	held, err := a.Content(t.Context(), seeded.Content)
	if err != nil || held.Role != tapi.Origin || filepath.Dir(filepath.Dir(held.Path)) != filepath.Join(a.data, "downloads") {
		t.Fatalf("content %+v, %v", held, err)
	}
	a.stop()
	a = start(t, node.Config{Name: "a", Data: a.data, Trackers: []string{url}, Web: &http.Client{}})
	if again, err := a.SeedFrom(t.Context(), api.Seed{URL: web + "/film.bin"}, nil); err != nil || again != seeded {
		t.Errorf("seeded again: %+v, %v", again, err)
	}
	if c, err := a.Content(t.Context(), seeded.Content); err != nil || c.Role != tapi.Origin || c.Error != "" || c.Path != held.Path {
		t.Errorf("content %+v, %v", c, err)
	}
	if err := a.Delete(t.Context(), seeded.Content); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "other.bin"), 1000)
	if _, err := a.SeedFrom(t.Context(), api.Seed{URL: web + "/other.bin"}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(held.Path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the download is still there: %v", err)
	}
}

// Where the node has the content already, it stays where it is.
func TestSeedFromURLWhatIsHere(t *testing.T) {
	web, dir := startOrigin(t)
	writeFile(t, filepath.Join(dir, "film.bin"), 100_000)
	url, _ := startTracker(t)
	a := startWebNode(t, url)
	b := startNode(t, "b", t.TempDir(), url)
	seeded, err := b.Seed(t.Context(), filepath.Join(dir, "film.bin"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Fetch(t.Context(), api.Fetch{Content: seeded.Content}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a has it", func() bool {
		c, err := a.Content(t.Context(), seeded.Content)
		return err == nil && c.Role == tapi.Holder
	})
	again, err := a.SeedFrom(t.Context(), api.Seed{URL: web + "/whole", Name: "film.bin"}, nil)
	if err != nil || again.Content != seeded.Content || !strings.Contains(again.Warning, "does not serve parts") {
		t.Errorf("seeded %+v, %v", again, err)
	}
	if c, err := a.Content(t.Context(), seeded.Content); err != nil || c.Role != tapi.Holder || c.Path != filepath.Join(a.data, "files/film.bin") {
		t.Errorf("content %+v, %v", c, err)
	}
	if entries, err := os.ReadDir(filepath.Join(a.data, "downloads")); err != nil || len(entries) != 1 {
		t.Errorf("left: %v, %v", entries, err)
	}
}

// `shoal seed --web-seed` also for what was seeded before without.
func TestSeedWithWebSeeds(t *testing.T) {
	url, tc := startTracker(t)
	a := startNode(t, "a", t.TempDir(), url)
	path := filepath.Join(t.TempDir(), "film.bin")
	writeFile(t, path, 100_000)
	for _, c := range []struct{ give, want []string }{
		{nil, nil},
		{[]string{"https://h.example/f"}, []string{"https://h.example/f"}},
		{nil, []string{"https://h.example/f"}},
	} {
		seeded, err := a.SeedFrom(t.Context(), api.Seed{Path: path, WebSeeds: c.give}, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := tc.Content(t.Context(), seeded.Content)
		if err != nil || !slices.Equal(got.WebSeeds, c.want) {
			t.Errorf("gave %q: web seeds %q, %v; want %q", c.give, got.WebSeeds, err, c.want)
		}
	}
}

func TestSeedFromURLFails(t *testing.T) {
	web, dir := startOrigin(t)
	writeFile(t, filepath.Join(dir, "large"), 5_000_001)
	url, tc := startTracker(t)
	a := startWebNode(t, url)
	for _, c := range []struct {
		name string
		seed api.Seed
		kind error
		says string
	}{
		{"not there", api.Seed{URL: web + "/nothing"}, shoal.ErrNotFound, "answers 404"},
		{"no HTTP URL", api.Seed{URL: "ftp://h/x"}, shoal.ErrInvalid, "neither http nor https"},
		{"no name", api.Seed{URL: web}, shoal.ErrInvalid, "give it one"},
		{"a folder's", api.Seed{URL: web + "/large/?x", Name: "x"}, shoal.ErrInvalid, "ends with a slash"},
		{"a name that leads out", api.Seed{URL: web + "/large", Name: "../x"}, shoal.ErrInvalid, "../x"},
		{"too large", api.Seed{URL: web + "/large"}, shoal.ErrInvalid, "the operator of the node allows 5000000"},
		{"endless", api.Seed{URL: web + "/endless"}, shoal.ErrInvalid, "more than the 5000000 bytes"},
		{"path and URL", api.Seed{URL: web + "/large", Path: "/x"}, shoal.ErrInvalid, "not both"},
		{"path and name", api.Seed{Path: "/x", Name: "y"}, shoal.ErrInvalid, "its own name"},
		{"odd web seed", api.Seed{Path: "/x", WebSeeds: []string{"http://u@h/"}}, shoal.ErrInvalid, "has a user"},
		{"too many web seeds", api.Seed{Path: "/x", WebSeeds: make([]string, shoal.MaxWebSeeds+1)}, shoal.ErrInvalid, "more than 32"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := a.SeedFrom(t.Context(), c.seed, nil)
			if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v, want kind %v and %q", err, c.kind, c.says)
			}
		})
	}
	if cs, err := tc.Contents(t.Context()); err != nil || len(cs) != 0 {
		t.Errorf("registered: %+v, %v", cs, err)
	}
	b := startNode(t, "b", t.TempDir(), url)
	if _, err := b.SeedFrom(t.Context(), api.Seed{URL: web + "/large"}, nil); !errors.Is(err, shoal.ErrInvalid) || !strings.Contains(err.Error(), "does not fetch from URLs") {
		t.Errorf("node without a client: %v", err)
	}
}

// SSRF: addresses that are not public are reached only where the operator
// allows them; else it is said so, with what to do.
func TestSeedFromURLGuarded(t *testing.T) {
	web, dir := startOrigin(t)
	writeFile(t, filepath.Join(dir, "film.bin"), 1000)
	url, _ := startTracker(t)
	for _, c := range []struct {
		guard fallback.Guard
		want  error
	}{
		{fallback.Guard{}, shoal.ErrInvalid},
		{fallback.Guard{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, nil},
	} {
		a := start(t, node.Config{Name: "a", Data: t.TempDir(), Trackers: []string{url}, Web: fallback.NewClient(&c.guard, nil)})
		for _, u := range []string{web + "/film.bin", strings.Replace(web, "127.0.0.1", "localhost", 1) + "/film.bin"} {
			_, err := a.SeedFrom(t.Context(), api.Seed{URL: u}, nil)
			if !errors.Is(err, c.want) || err != nil && !strings.Contains(err.Error(), "--web-allow") {
				t.Errorf("%s, allowed %v: %v", u, c.guard.Allow, err)
			}
		}
		a.stop()
	}
}

// Ctrl-C ends the transfer, and what is there stays for the next time.
func TestSeedFromURLCancelled(t *testing.T) {
	web, _ := startOrigin(t)
	a := startWebNode(t, "http://127.0.0.1:1")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err := a.SeedFrom(ctx, api.Seed{URL: web + "/hanging"}, func(ev api.SeedEvent) {
		if ev.Hashed > 0 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	parts := filepath.Join(a.data, "downloads", "parts")
	eventually(t, "the node lets go", func() bool {
		records, err := filepath.Glob(filepath.Join(parts, "*.json"))
		return err == nil && len(records) == 1
	})
	var notes []string
	ctx, cancel = context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err = a.SeedFrom(ctx, api.Seed{URL: web + "/hanging"}, func(ev api.SeedEvent) {
		if notes = append(notes, ev.Note); ev.Note != "" {
			cancel()
		}
	})
	if err == nil || !slices.Contains(notes, "checking what is here") {
		t.Errorf("the next time: %q, %v", notes, err)
	}
}
