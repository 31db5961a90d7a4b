//go:build linux

package system

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/internal/lab"
	"github.com/shoal-cdn/shoal/internal/lab/cluster"
)

// uploadWorld is a tracker, an ingest node and a host with a file on it whose uplink
// is thin enough for things to happen meanwhile.
type uploadWorld struct {
	*world
	ingest *cluster.Node
	client *lab.Host
	source string
	cache  string
}

func newUploadWorld(t *testing.T, up shoal.Rate, size shoal.Size, args ...string) *uploadWorld {
	t.Helper()
	w := &uploadWorld{world: trackedWorld(t), cache: t.TempDir()}
	w.ingest = w.node("ingest", 0, append([]string{"--ingest", "--ingest-free", "1MiB"}, args...)...)
	w.client = w.host("client", up)
	w.source = filepath.Join(t.TempDir(), "file.bin")
	randomFile(t, w.source, size, 9)
	return w
}

// uploaded is what "shoal seed --json" says of an upload.
type uploaded struct {
	Task        string
	Content     shoal.ContentID
	Server      string
	Transport   string
	Sent        int64 `json:"bytes_sent"`
	Resent      int64 `json:"bytes_resent"`
	Had         int64 `json:"bytes_had"`
	Refused     int   `json:"chunks_refused"`
	Breaks      int
	Seconds     float64
	Connections []struct {
		Most     int64 `json:"most_request"`
		Failures int64 `json:"failures"`
	}
}

// begin starts an upload in the background.
func (w *uploadWorld) begin(log string, args ...string) *lab.Process {
	w.t.Helper()
	bin, err := binary()
	must(w.t, err)
	p, err := w.client.Start(lab.ProcessConfig{
		Name:    "seed",
		Command: append([]string{bin, "seed", w.source, "--json", "-v"}, args...),
		Env:     []string{"XDG_CACHE_HOME=" + w.cache},
		Log:     log,
	})
	must(w.t, err)
	return p
}

// ended waits for an upload and reads its report.
func (w *uploadWorld) ended(ctx context.Context, p *lab.Process) uploaded {
	w.t.Helper()
	select {
	case <-p.Done():
	case <-ctx.Done():
		tail, _ := p.LogTail(30)
		w.t.Fatalf("the upload goes on: %v\n%s", ctx.Err(), tail)
	}
	log, err := os.ReadFile(p.LogPath())
	must(w.t, err)
	at := bytes.LastIndex(log, []byte("\n{\n"))
	if p.Err() != nil || at < 0 {
		w.t.Fatalf("upload: %v\n%s", p.Err(), log)
	}
	var u uploaded
	must(w.t, json.Unmarshal(log[at:], &u))
	w.t.Logf("%s", log[max(0, bytes.LastIndex(log[:at], []byte("hashing"))):at])
	return u
}

// tracked are the flags for an upload by way of the tracker.
func (w *uploadWorld) tracked() []string { return []string{"--tracker", w.tracker.URL} }

// sent is what the client's host has sent on the wire.
func (w *uploadWorld) sent() int64 {
	w.t.Helper()
	c, err := w.client.Counters()
	must(w.t, err)
	return c.SentBytes
}

// atServer compares what the server serves at its gateway with the source.
func (w *uploadWorld) atServer(id shoal.ContentID) {
	w.t.Helper()
	url := fmt.Sprintf("http://%s/v1/contents/%s/files/%s", w.ingest.Host().AddrPort(7180), id, filepath.Base(w.source))
	req, err := http.NewRequestWithContext(within(w.t, patience), http.MethodGet, url, nil)
	must(w.t, err)
	resp, err := w.ingest.Host().HTTPClient().Do(req)
	must(w.t, err)
	defer resp.Body.Close()
	want, err := os.ReadFile(w.source)
	must(w.t, err)
	got, err := io.ReadAll(resp.Body)
	if err != nil || !bytes.Equal(got, want) {
		w.t.Errorf("GET %s: %s, %d bytes of %d, %v; want the file", url, resp.Status, len(got), len(want), err)
	}
}

// Ten of a thousand chunks are damaged on the way: each is refused, and sent again (R4).
func TestUploadDamaged(t *testing.T) {
	t.Parallel()
	const damaged = 10
	w := newUploadWorld(t, 0, 1000*32<<10)
	proxy := w.damagingProxy(damaged)
	p := w.begin(filepath.Join(t.ArtifactDir(), "seed.log"), "--to-server", proxy)
	u := w.ended(within(t, patience), p)
	if u.Refused != damaged || u.Resent != damaged*32<<10 {
		t.Errorf("%d chunks refused, %d bytes sent again; want %d and their bytes", u.Refused, u.Resent, damaged)
	}
	w.atServer(u.Content)
}

// damagingProxy passes everything on to the ingest node, and damages n chunks, each
// in a place of its own.
func (w *uploadWorld) damagingProxy(n int) string {
	w.t.Helper()
	h := w.host("proxy", 0)
	ln, err := h.Listen(w.t.Context(), 8080)
	must(w.t, err)
	target := &url.URL{Scheme: "http", Host: w.ingest.Host().AddrPort(7180).String()}
	rp := &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport: &http.Transport{DialContext: h.DialContext},
	}
	hit := map[int]bool{}
	var mu sync.Mutex
	srv := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if _, chunks, ok := strings.Cut(r.URL.Path, "/chunks/"); ok {
			var first int
			if _, err := fmt.Sscan(strings.SplitN(chunks, "-", 2)[0], &first); err == nil {
				mu.Lock()
				var at []int64
				for k := first; k < first+int(r.ContentLength/(32<<10)); k++ {
					if k%100 == 7 && !hit[k] && len(hit) < n {
						hit[k] = true
						at = append(at, int64(k-first)*32<<10+int64(k))
					}
				}
				mu.Unlock()
				r.Body = &damagedBody{ReadCloser: r.Body, at: at}
			}
		}
		rp.ServeHTTP(rw, r)
	})}
	go func() { _ = srv.Serve(ln) }()
	w.t.Cleanup(func() { srv.Close() })
	return "http://" + h.AddrPort(8080).String()
}

// damagedBody flips a bit at some places.
type damagedBody struct {
	io.ReadCloser
	at   []int64
	past atomic.Int64
}

func (d *damagedBody) Read(p []byte) (int, error) {
	n, err := d.ReadCloser.Read(p)
	from := d.past.Add(int64(n)) - int64(n)
	for _, at := range d.at {
		if at >= from && at < from+int64(n) {
			p[at-from] ^= 0x10
		}
	}
	return n, err
}

// The server's disk gets full: the client says so, and goes on when there is room.
func TestUploadDiskFull(t *testing.T) {
	t.Parallel()
	store := filepath.Join(t.TempDir(), "store")
	must(t, os.Mkdir(store, 0o755))
	mount(t, store, "-t", "tmpfs", "-o", "size=256m", "tmpfs")
	size := 4 * fileSize
	w := newUploadWorld(t, 80*mbit, size, "--ingest-store", store)
	p := w.begin(filepath.Join(t.ArtifactDir(), "seed.log"), w.tracked()...)
	w.awaitSent(w.sent(), size/3)
	ballast := filepath.Join(store, "ballast")
	out, err := exec.Command("dd", "if=/dev/zero", "of="+ballast, "bs=1M").CombinedOutput()
	if err == nil {
		t.Fatalf("the disk does not get full: %s", out)
	}
	w.fails(p, "space|room")
	must(t, os.Remove(ballast))
	must(t, p.Restart())
	u := w.ended(within(t, patience), p)
	if u.Had < int64(size/8) || u.Had+u.Sent-u.Resent != int64(size) {
		t.Errorf("had %d, sent %d of %d", u.Had, u.Sent, size)
	}
	w.atServer(u.Content)
}
