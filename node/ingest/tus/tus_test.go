package tus

import (
	"bytes"
	"context"
	"crypto/sha1" //nolint:gosec // the protocol's
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/ingest/uploads"
)

// bench is a server with the uploads that it has finished.
type bench struct {
	t   *testing.T
	url string
	srv *Server

	mu   sync.Mutex
	done []*uploads.Upload
}

func newBench(t *testing.T, limits uploads.Limits) *bench {
	t.Helper()
	return newBenchIn(t, t.TempDir(), limits)
}

func newBenchIn(t *testing.T, dir string, limits uploads.Limits) *bench {
	t.Helper()
	st, err := uploads.Open(uploads.Config{Dir: dir, Limits: limits})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t}
	b.srv, err = New(Config{Store: st, Context: t.Context(), Idle: time.Hour, Adopted: func(u *uploads.Upload) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.done = append(b.done, u)
	}})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle(Path, b.srv)
	srv := httptest.NewServer(mux)
	b.url = srv.URL
	t.Cleanup(func() {
		srv.Close()
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// call sends a request; header is key, value, key, value.
func (b *bench) call(method, url string, body io.Reader, header ...string) *http.Response {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, url, body)
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Tus-Resumable", "1.0.0")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		b.t.Fatal(err)
	}
	text, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if resp.StatusCode >= 500 {
		b.t.Logf("%s %s: %d %s", method, url, resp.StatusCode, text)
	}
	return resp
}

func meta(pairs ...string) string {
	var out []string
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, pairs[i]+" "+base64.StdEncoding.EncodeToString([]byte(pairs[i+1])))
	}
	return strings.Join(out, ",")
}

func (b *bench) create(size int, header ...string) string {
	b.t.Helper()
	resp := b.call(http.MethodPost, b.url+Path, nil, append([]string{"Upload-Length", strconv.Itoa(size)}, header...)...)
	if resp.StatusCode != http.StatusCreated {
		b.t.Fatalf("create: %d", resp.StatusCode)
	}
	return resp.Header.Get("Location")
}

func (b *bench) patch(url string, offset int, data []byte, header ...string) int {
	b.t.Helper()
	return b.call(http.MethodPatch, url, bytes.NewReader(data),
		append([]string{"Content-Type", "application/offset+octet-stream", "Upload-Offset", strconv.Itoa(offset)}, header...)...).StatusCode
}

func (b *bench) check(name string, data []byte) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.done) != 1 {
		b.t.Fatalf("%d finished uploads, want one", len(b.done))
	}
	u := b.done[0]
	got, err := os.ReadFile(u.Path())
	if err != nil || !bytes.Equal(got, data) || filepath.Base(u.Path()) != name {
		b.t.Fatalf("%s is another file: %v", u.Path(), err)
	}
	m, err := shoal.BuildManifest(b.t.Context(), u.Path(), shoal.BuildOptions{})
	if err != nil || m.ID() != u.Manifest().ID() || !u.Complete() {
		b.t.Errorf("content %s, want %s: %v", u.Manifest().ID(), m.ID(), err)
	}
}

func noise(n int) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func sha1Of(data []byte) string {
	sum := sha1.Sum(data) //nolint:gosec // the protocol's
	return "sha1 " + base64.StdEncoding.EncodeToString(sum[:])
}

// tus 1.0, core protocol, creation, checksum and termination.
func TestProtocol(t *testing.T) {
	b := newBench(t, uploads.Limits{Size: 1 << 20})
	data := noise(100_000)
	opts := b.call(http.MethodOptions, b.url+Path, nil)
	for _, ext := range []string{"creation", "checksum", "termination", "concatenation"} {
		if !strings.Contains(opts.Header.Get("Tus-Extension"), ext) {
			t.Errorf("%s is not announced: %q", ext, opts.Header.Get("Tus-Extension"))
		}
	}
	url := b.create(len(data), "Upload-Metadata", meta("filename", "a file.bin"))
	if got := b.patch(url, 0, data[:40_000], "Upload-Checksum", sha1Of(data[:40_000])); got != http.StatusNoContent {
		t.Fatalf("first part: %d", got)
	}
	if got := b.patch(url, 40_000, data[40_000:], "Upload-Checksum", sha1Of(data)); got != 460 {
		t.Fatalf("wrong checksum: %d", got)
	}
	if got := b.patch(url, 40_000, data[40_000:], "Upload-Checksum", "md5 AAAA"); got != http.StatusBadRequest {
		t.Fatalf("unknown checksum: %d", got)
	}
	if head := b.call(http.MethodHead, url, nil); head.Header.Get("Upload-Offset") != "40000" {
		t.Fatalf("offset %q", head.Header.Get("Upload-Offset"))
	}
	if got := b.patch(url, 40_000, data[40_000:]); got != http.StatusNoContent {
		t.Fatalf("last part: %d", got)
	}
	b.check("a file.bin", data)

	gone := b.create(10, "Upload-Metadata", meta("filename", "x"))
	if got := b.call(http.MethodDelete, gone, nil).StatusCode; got != http.StatusNoContent {
		t.Errorf("terminate: %d", got)
	}
	if got := b.call(http.MethodHead, gone, nil).StatusCode; got != http.StatusNotFound {
		t.Errorf("terminated: %d", got)
	}
	for name, c := range map[string]struct {
		header []string
		want   int
	}{
		"name escapes": {[]string{"Upload-Length", "5", "Upload-Metadata", meta("filename", "../x")}, 400},
		"dest escapes": {[]string{"Upload-Length", "5", "Upload-Metadata", meta("filename", "x", "nodes", "a", "dest", "../x")}, 400},
		"priority":     {[]string{"Upload-Length", "5", "Upload-Metadata", meta("filename", "x", "nodes", "a", "priority", "high")}, 400},
		"too large":    {[]string{"Upload-Length", "2000000", "Upload-Metadata", meta("filename", "x")}, 413},
		"2^63":         {[]string{"Upload-Length", "9223372036854775808", "Upload-Metadata", meta("filename", "x")}, 400},
	} {
		if got := b.call(http.MethodPost, b.url+Path, nil, c.header...).StatusCode; got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
	if got := b.call(http.MethodHead, b.url+Path+"..%2f..%2fx", nil).StatusCode; got != http.StatusNotFound {
		t.Errorf("ID escapes: %d", got)
	}
}

// concat uploads data in parts, and has the server make whole.bin of them.
func (b *bench) concat(data []byte, part int) {
	b.t.Helper()
	var parts []string
	for from := 0; from < len(data); from += part {
		url := b.create(part, "Upload-Concat", "partial")
		if got := b.patch(url, 0, data[from:from+part]); got != http.StatusNoContent {
			b.t.Fatalf("part: %d", got)
		}
		parts = append(parts, url)
	}
	resp := b.call(http.MethodPost, b.url+Path, nil,
		"Upload-Concat", "final;"+strings.Join(parts, " "), "Upload-Metadata", meta("filename", "whole.bin"))
	if resp.StatusCode != http.StatusCreated {
		b.t.Fatalf("final: %d", resp.StatusCode)
	}
}

// tus 1.0, concatenation.
func TestConcatenation(t *testing.T) {
	b := newBench(t, uploads.Limits{})
	data := noise(90_000)
	b.concat(data, 30_000)
	b.check("whole.bin", data)
}

// An upload whose client has gone before it was hashed is finished all the same.
func TestFinishGivenUp(t *testing.T) {
	b := newBench(t, uploads.Limits{})
	data := noise(1000)
	u, err := b.srv.data.GetUpload(t.Context(), path.Base(b.create(len(data))))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := u.WriteChunk(t.Context(), 0, bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := u.FinishUpload(gone); err != nil || len(b.done) != 1 {
		t.Errorf("%d finished: %v", len(b.done), err)
	}
}

func TestSweep(t *testing.T) {
	b := newBench(t, uploads.Limits{})
	url := b.create(10, "Upload-Metadata", meta("filename", "x"))
	for _, c := range []struct {
		after time.Duration
		want  int
	}{{0, http.StatusOK}, {2 * time.Hour, http.StatusNotFound}} {
		if err := b.srv.Sweep(time.Now().Add(c.after)); err != nil {
			t.Fatal(err)
		}
		if got := b.call(http.MethodHead, url, nil).StatusCode; got != c.want {
			t.Errorf("after %v: %d", c.after, got)
		}
	}
}

// clientEnv names a folder with node_modules/tus-js-client in it.
const clientEnv = "SHOAL_TUS_JS"

func TestJSClient(t *testing.T) {
	modules := os.Getenv(clientEnv)
	if modules == "" {
		t.Skipf("%s names no folder with tus-js-client: npm install --prefix DIR tus-js-client", clientEnv)
	}
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("no node here")
	}
	data := noise(3 << 20)
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ parallel, chunk int }{{1, 0}, {4, 0}, {1, 500_000}} {
		t.Run(fmt.Sprintf("%d parallel, chunks of %d", c.parallel, c.chunk), func(t *testing.T) {
			b := newBench(t, uploads.Limits{})
			cmd := exec.CommandContext(t.Context(), node, filepath.Join("testdata", "upload.cjs"),
				b.url+Path, file, strconv.Itoa(c.parallel), strconv.Itoa(c.chunk))
			cmd.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(modules, "node_modules"))
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			b.check("from js.bin", data)
			if url := strings.TrimSpace(string(out)); path.Base(url) != b.done[0].Task() {
				t.Errorf("the client was told %s, the upload is %s", url, b.done[0].Task())
			}
		})
	}
}
