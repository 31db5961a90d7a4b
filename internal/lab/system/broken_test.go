//go:build linux

package system

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/internal/lab"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// breakage is a way for a web seed to be of no use.
type breakage struct {
	name   string
	reason string // part of what is said of it
	serve  func(data []byte, w http.ResponseWriter, r *http.Request)
}

// part begins an answer that claims to be the range asked for: [from, to).
func part(w http.ResponseWriter, r *http.Request, size int) (from, to int) {
	if n, _ := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &from, &to); n != 2 || from > to || to >= size {
		http.Error(w, "want a range", http.StatusBadRequest)
		return 0, 0
	}
	w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to, size))
	return from, to + 1
}

var breakages = []breakage{
	{"404", "status 404", func(_ []byte, w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }},
	{"wrong-bytes", "do not verify", func(data []byte, w http.ResponseWriter, r *http.Request) {
		from, to := part(w, r, len(data))
		w.WriteHeader(http.StatusPartialContent)
		_, _ = w.Write(make([]byte, to-from))
	}},
	{"no-range", "does not support ranges", func(data []byte, w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(data) }},
	{"wrong-length", "wrong length", func(data []byte, w http.ResponseWriter, r *http.Request) {
		from, to := part(w, r, len(data)+1)
		w.WriteHeader(http.StatusPartialContent)
		_, _ = w.Write(data[from:min(to, len(data))])
	}},
	{"redirect-loop", "redirected too often", func(_ []byte, w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.Path+"?again", http.StatusFound)
	}},
	{"byte-a-second", "too slow|was faster", func(data []byte, w http.ResponseWriter, r *http.Request) {
		from, to := part(w, r, len(data))
		w.WriteHeader(http.StatusPartialContent)
		for ; from < to && r.Context().Err() == nil; from++ {
			_, _ = w.Write(data[from : from+1])
			_ = http.NewResponseController(w).Flush()
			select {
			case <-time.After(time.Second):
			case <-r.Context().Done():
			}
		}
	}},
	{"endless", "sends more than", func(data []byte, w http.ResponseWriter, r *http.Request) {
		from, to := part(w, r, len(data))
		w.WriteHeader(http.StatusPartialContent)
		_, err := w.Write(data[from:to])
		for err == nil {
			_, err = w.Write(data)
		}
	}},
	{"tls", "certificate", nil}, // by another port: its certificate is nobody's
	{"dies", "the transfer ended after", func(data []byte, w http.ResponseWriter, r *http.Request) {
		from, to := part(w, r, len(data))
		w.Header().Set("Content-Length", fmt.Sprint(to-from))
		w.WriteHeader(http.StatusPartialContent)
		_, _ = w.Write(data[from:min(to, from+1000)])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}},
}

// badWeb serves a folder from a host: /KIND/FILE as that breakage does, /good/FILE as it
// should be, and all of it over TLS that nobody trusts.
func badWeb(t *testing.T, h *lab.Host, dir string) (plain, secure string) {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle("/good/", http.StripPrefix("/good", http.FileServer(http.Dir(dir))))
	for _, b := range breakages {
		if b.serve == nil {
			continue
		}
		mux.HandleFunc("/"+b.name+"/{file}", func(w http.ResponseWriter, r *http.Request) {
			data, err := os.ReadFile(filepath.Join(dir, filepath.Base(r.PathValue("file"))))
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			b.serve(data, w, r)
		})
	}
	return serveOn(t, h, 8080, mux, (*httptest.Server).Start), serveOn(t, h, 8443, mux, (*httptest.Server).StartTLS)
}

// serveOn serves HTTP on a port of a host until the test ends, and returns the URL.
func serveOn(t *testing.T, h *lab.Host, port uint16, handler http.Handler, start func(*httptest.Server)) string {
	t.Helper()
	ln, err := h.Listen(t.Context(), port)
	must(t, err)
	s := httptest.NewUnstartedServer(handler)
	must(t, s.Listener.Close())
	s.Listener = ln
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // broken handshakes are expected
	start(s)
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return s.URL
}

// Nine broken web seeds. Beside a good one the content comes from that, and the
// report names the broken one and why; alone the task soon fails, with the reason (M8):
// within 30 s on a machine that has time for it, as node/supply's TestLost makes sure.
func TestBrokenWebSeeds(t *testing.T) {
	t.Parallel()
	const soon = 90
	w := newWorld(t, 0, 0)
	dir := t.TempDir()
	plain, secure := badWeb(t, w.host("web", 0), dir)
	ctx := within(t, patience)
	var running sync.WaitGroup
	for i, b := range breakages {
		node := w.placedNode("reads-"+b.name, 0, "--web-allow", "198.18.0.0/15")
		base := plain
		if b.serve == nil {
			base = secure
		}
		// Larger than a lease: a whole file in one request needs no ranges.
		start := func(file string, seeds ...string) shoal.ContentID {
			randomFile(t, filepath.Join(dir, file), 12<<20, uint64(100+2*i+len(seeds)))
			return w.register(filepath.Join(dir, file), seeds...)
		}
		good, bad := b.name+"-beside.bin", b.name+"-alone.bin"
		beside := start(good, base+"/"+b.name+"/"+good+"?signature=secret", plain+"/good/"+good)
		alone := start(bad, base+"/"+b.name+"/"+bad+"?signature=secret")
		running.Go(func() {
			task, err := w.tracker.Distribute(ctx, beside, node.Name())
			if err != nil {
				t.Errorf("%s beside a good one: %v", b.name, err)
				return
			}
			sameFile(t, filepath.Join(dir, good), node)
			w.named(b, task)
		})
		running.Go(func() {
			task, err := w.tracker.Distribute(ctx, alone, node.Name())
			if err == nil || len(task.Nodes) != 1 {
				t.Errorf("%s alone: %+v, error %v, want a failure", b.name, task, err)
				return
			}
			n := task.Nodes[0]
			t.Logf("%s alone: failed after %.1f s: %s", b.name, n.Seconds, n.Error)
			if n.Seconds > soon || !containsAny(n.Error, b.reason) {
				t.Errorf("%s alone: failed after %.1f s by %q, want %q within %d s", b.name, n.Seconds, n.Error, b.reason, soon)
			}
			w.named(b, task)
		})
	}
	running.Wait()
}

// named checks that "shoal task show" names the broken web seed and what is wrong
// with it, and keeps its URL's signature to itself.
func (w *world) named(b breakage, task tapi.Task) {
	bin, err := binary()
	if err != nil {
		w.t.Error(err)
		return
	}
	out, err := w.tracker.Host().Command(w.t.Context(), bin, "task", "show", task.ID, "--tracker", w.tracker.URL).CombinedOutput()
	if err != nil {
		w.t.Errorf("%s: task show: %v: %s", b.name, err, out)
		return
	}
	if s := task.Nodes[0]; s.State == tapi.Succeeded {
		w.t.Logf("%s beside a good one: %.2f s, %d bytes wasted, %+v", b.name, s.Seconds, s.Bytes.Wasted, s.Faults)
	}
	if text := string(out); !strings.Contains(text, "/"+b.name+"/") || !containsAny(text, b.reason) || strings.Contains(text, "secret") {
		w.t.Errorf("%s: task show says:\n%s", b.name, text)
	}
}

// containsAny reports whether s has one of the parts, which "|" separates.
func containsAny(s, parts string) bool {
	for p := range strings.SplitSeq(parts, "|") {
		if strings.Contains(s, p) {
			return true
		}
	}
	return false
}

// register has the tracker know a file, with these web seeds as its only sources.
func (w *world) register(path string, seeds ...string) shoal.ContentID {
	w.t.Helper()
	ctx := w.t.Context()
	m, err := shoal.BuildManifest(ctx, path, shoal.BuildOptions{})
	must(w.t, err)
	m, err = m.WithWebSeeds(seeds)
	must(w.t, err)
	c, err := tapi.NewClient([]string{w.tracker.URL}, w.tracker.Host().HTTPClient())
	must(w.t, err)
	_, err = c.PutContent(ctx, m.Torrent())
	must(w.t, err)
	return m.ID()
}
