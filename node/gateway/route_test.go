package gateway

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/store/storetest"
)

func TestPaths(t *testing.T) {
	f := held(t, storetest.SampleFolder(t, "site"))
	g := New(Config{Library: f})
	g.Mount("GET /v1/probe", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }))
	id := f.M.ID().String()
	under := prefix + id
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{"GET", under + "/files/a/two", 200},
		{"GET", under + "/files/b/gr%C3%B6%C3%9Fe.bin", 200},
		{"GET", under + "/files/%61/two", 200},
		{"GET", prefix + strings.ToUpper(id) + "/files/a/two", 200},
		{"GET", under + "/files/", 200},
		{"GET", under + "/files", 200},
		{"GET", under + "/torrent", 200},
		{"GET", "/v1/probe", 204},

		{"GET", under + "/files/a%2Ftwo", 404},
		{"GET", under + "/files/a%2ftwo", 404},
		{"GET", under + "/files//a/two", 404},
		{"GET", under + "/files/a//two", 404},
		{"GET", under + "/files/a/two/", 404},
		{"GET", under + "/files/a/", 404},
		{"GET", under + "/files/a", 404},
		{"GET", under + "/files/site/a/two", 404},
		{"GET", under + "/files/./a/two", 404},
		{"GET", under + "/files/a/../a/two", 404},
		{"GET", under + "/files/../files/a/two", 404},
		{"GET", under + "/files/%2e%2e/files/a/two", 404},
		{"GET", under + "/files/..%2f..%2fetc/passwd", 404},
		{"GET", under + "/files/../../../../../../etc/passwd", 404},
		{"GET", under + "/files//etc/passwd", 404},
		{"GET", under + "/files/%2Fetc%2Fpasswd", 404},
		{"GET", under + `/files/a%5Ctwo`, 404},
		{"GET", under + "/files/a/two%00", 404},
		{"GET", under + "/files/a/%FF", 404},
		{"GET", under + "/files/" + strings.Repeat("a/", 10_000), 404},
		{"GET", under + "/torrent/", 404},
		{"GET", under, 404},
		{"GET", under + "/", 404},
		{"GET", prefix, 404},
		{"GET", prefix + "../contents/" + id + "/torrent", 404},
		{"GET", prefix + strings.Repeat("0", 64) + "/files/a/two", 404},
		{"GET", prefix + id[:40] + "/files/a/two", 404},
		{"GET", "/", 404},
		{"GET", "/v1/contents", 404},
		{"POST", under + "/files/a/two", 405},
		{"DELETE", under, 405},
	} {
		got := do(t, g, c.method, c.path)
		if got.StatusCode != c.status {
			t.Errorf("%s %s: status %d, want %d", c.method, c.path, got.StatusCode, c.status)
		}
		if c.status == 404 && got.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s: header %v", c.method, c.path, got.Header)
		}
	}
	if n := f.open(); n != 0 {
		t.Errorf("%d handles left open", n)
	}
}

// Every file is found by its path, whatever the order of names beside each other.
func TestFindFile(t *testing.T) {
	for _, s := range []storetest.Sample{storetest.SampleFolder(t, "site"), storetest.SampleTree(t, 300, 1), storetest.SampleFile(t, "one", 1)} {
		for i, file := range s.M.Files() {
			if got, ok := findFile(s.M, file.Path); !ok || got != i {
				t.Errorf("%s: %d, %v; want %d", file.Path, got, ok, i)
			}
			if _, ok := findFile(s.M, file.Path+"x"); ok {
				t.Errorf("%sx is found", file.Path)
			}
		}
	}
	ordered := []string{"a", "a/b", "a/b/c", "a/bc", "a b", "a-b", "a.b", "a0", "b"}
	for i, p := range ordered {
		for j, q := range ordered {
			if got := comparePaths(p, q); (got < 0) != (i < j) || (got > 0) != (i > j) {
				t.Errorf("%q and %q: %d", p, q, got)
			}
		}
	}
}

func TestListing(t *testing.T) {
	f := arriving(t, storetest.SampleFolder(t, "site"))
	got := do(t, New(Config{Library: f}), "GET", prefix+f.M.ID().String()+"/files/")
	var l Listing
	if err := json.Unmarshal(got.body, &l); err != nil || got.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("%s: %v", got.body, err)
	}
	if l.Content != f.M.ID() || l.Name != "site" || !l.Folder || l.Size != f.M.Size() || l.PieceLength != storetest.PieceLength {
		t.Errorf("listing: %+v", l)
	}
	if !slices.EqualFunc(l.Files, f.M.Files(), func(a ListedFile, b shoal.File) bool {
		return a.Path == b.Path && a.Size == b.Length && a.Executable == b.Executable
	}) {
		t.Errorf("files: %+v", l.Files)
	}
}

func TestTorrent(t *testing.T) {
	f := arriving(t, storetest.SampleFolder(t, "site"))
	got := do(t, New(Config{Library: f}), "GET", prefix+f.M.ID().String()+"/torrent")
	m, err := shoal.DecodeManifest(got.body)
	if err != nil || m.ID() != f.M.ID() || got.Header.Get("Content-Type") != "application/x-bittorrent" {
		t.Errorf("%v, %v", got.Header, err)
	}
}

func FuzzRoute(f *testing.F) {
	id := strings.Repeat("ab", 32)
	for _, s := range []string{id + "/files/a/b", id + "/files/", id + "/torrent", id + "/files/%2e%2e/x", id + "/files/a%2Fb", "x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, escaped string) {
		r, ok := parseRoute(escaped)
		if ok && r.what == aFile && strings.Count(r.path, "/") != strings.Count(escaped, "/")-2 {
			t.Errorf("%q: path %q has other segments", escaped, r.path)
		}
	})
}
