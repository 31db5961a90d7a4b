package download

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"

	"github.com/shoal-cdn/shoal"
)

// testURL is that of the file on the server.
const testURL = "http://h.example/dir/film.bin?sig=secret"

// size is that of the file, unless a test has another.
const size = 1_000_000

func noise(seed byte, n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(b) // never fails
	return b
}

// web is a server in memory, so that time can be virtual, and the folder that
// files are fetched into.
type web struct {
	t      *testing.T
	dir    string
	folder *Folder

	max     int64 // for the next open
	client  *http.Client
	limiter *rate.Limiter

	mu       sync.Mutex
	requests []string // "RANGE IFRANGE" of each
	served   int64    // bytes
}

// newWeb serves handler, in a bubble.
func newWeb(t *testing.T, handler http.HandlerFunc) *web {
	t.Helper()
	w := &web{t: t, dir: t.TempDir(), max: 10 * size}
	l := pipes{make(chan net.Conn), make(chan struct{})}
	srv := &http.Server{
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			w.mu.Lock()
			w.requests = append(w.requests, strings.TrimSpace(r.Header.Get("Range")+" "+r.Header.Get("If-Range")))
			w.mu.Unlock()
			if r.Header.Get("Accept-Encoding") != "identity" {
				t.Errorf("request %v", r.Header)
			}
			handler(counting{rw, w}, r)
		}),
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = srv.Serve(l) }()
	tr := &http.Transport{DialContext: l.dial}
	w.client = &http.Client{Transport: tr}
	w.open()
	t.Cleanup(func() {
		tr.CloseIdleConnections()
		err := errors.Join(srv.Close(), w.folder.Close())
		if <-ended; err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *web) open() {
	w.t.Helper()
	f, err := Open(Config{Dir: w.dir, Client: w.client, Max: w.max, Limiter: w.limiter})
	if err != nil {
		w.t.Fatal(err)
	}
	w.folder = f
}

// restart opens the folder anew, as after the process ended.
func (w *web) restart() {
	w.t.Helper()
	if err := w.folder.Close(); err != nil {
		w.t.Fatal(err)
	}
	w.open()
}

// fetch brings the file and keeps it.
func (w *web) fetch() (path string, m *shoal.Manifest, err error) {
	f, err := w.folder.Fetch(w.t.Context(), testURL, "film.bin", nil)
	if err != nil {
		return "", nil, err
	}
	path, err = f.Keep()
	return path, f.Manifest(), errors.Join(err, f.Close())
}

// mustFetch checks that the file is data.
func (w *web) mustFetch(data []byte) {
	w.t.Helper()
	path, m, err := w.fetch()
	if err != nil {
		w.t.Fatal(err)
	}
	w.check(path, m, data)
}

func (w *web) check(path string, m *shoal.Manifest, data []byte) {
	w.t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, data) {
		w.t.Fatalf("%d bytes, want %d others: %v", len(got), len(data), err)
	}
	want, err := shoal.BuildManifest(context.Background(), path, shoal.BuildOptions{})
	if err != nil || m.ID() != want.ID() || m.Name() != "film.bin" {
		w.t.Errorf("content %v, %q, want %v; %v", m.ID(), m.Name(), want.ID(), err)
	}
	if path != filepath.Join(w.dir, m.ID().String(), "film.bin") {
		w.t.Errorf("it is at %s", path)
	}
}

// seen is what the server was asked for, and how many bytes it sent.
func (w *web) seen() (requests []string, served int64) {
	synctest.Wait() // until the handlers have ended
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.requests, w.served
}

// forget has seen begin anew.
func (w *web) forget() {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.requests, w.served = nil, 0
}

// left are the names of what is in the folder for parts.
func (w *web) left() (names []string) {
	w.t.Helper()
	entries, err := os.ReadDir(filepath.Join(w.dir, partsDir))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

type counting struct {
	http.ResponseWriter
	w *web
}

func (c counting) Unwrap() http.ResponseWriter { return c.ResponseWriter }

func (c counting) Write(b []byte) (int, error) {
	n, err := c.ResponseWriter.Write(b)
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	c.w.served += int64(n)
	return n, err
}

// pipes is a network of two.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.conns <- there:
		return here, nil
	case <-p.closed:
		return nil, errors.New("connection refused")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p pipes) Close() error   { close(p.closed); return nil }
func (p pipes) Addr() net.Addr { return &net.IPAddr{} }

// file serves data as a good server does, under an entity tag.
func file(w http.ResponseWriter, r *http.Request, tag string, data []byte) {
	if tag != "" {
		w.Header().Set("ETag", tag)
	}
	http.ServeContent(w, r, "film.bin", time.Time{}, bytes.NewReader(data))
}

// breaking cuts the connection after n bytes of each body.
type breaking struct {
	http.ResponseWriter
	n int
}

func (b *breaking) Write(p []byte) (int, error) {
	if len(p) >= b.n {
		_, _ = b.ResponseWriter.Write(p[:b.n])
		_ = http.NewResponseController(b.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	b.n -= len(p)
	return b.ResponseWriter.Write(p)
}

// hijack answers with bytes of the test's choice and closes the connection.
func hijack(w http.ResponseWriter, answer string) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	_, _ = io.WriteString(c, answer)
	_ = c.Close()
}

// forever writes p until the client goes.
func forever(w http.ResponseWriter, r *http.Request, p []byte, pause time.Duration) {
	for {
		if _, err := w.Write(p); err != nil {
			return
		}
		_ = http.NewResponseController(w).Flush()
		select {
		case <-r.Context().Done():
			return
		case <-time.After(pause):
		}
	}
}

// serveRange serves bytes first to last of data without looking at what was asked for.
func serveRange(w http.ResponseWriter, data []byte, first, last int) {
	w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", first, last, len(data)))
	w.Header().Set("Content-Length", strconv.Itoa(last-first+1))
	w.WriteHeader(http.StatusPartialContent)
	_, _ = w.Write(data[first : last+1])
}

// firstOf is N of "bytes=N-".
func firstOf(r *http.Request) int {
	n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(r.Header.Get("Range"), "bytes="), "-"))
	if err != nil {
		panic(err)
	}
	return n
}
