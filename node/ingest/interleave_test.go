package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/ingest/api"
	"github.com/shoal-cdn/shoal/node/ingest/uploads"
)

// place is behind a load balancer, where now one server is and now another, all of one store.
type place struct {
	dir string

	mu    sync.Mutex
	url   string
	leave func()   // cuts the connections of the server that is there
	ends  []func() // of all servers that were there
}

// renew puts another server in the place. The one before loses its clients, and does not know that its time is over,
// like a server that the balancer does not reach any more.
func (p *place) renew(t *testing.T) {
	st, err := uploads.Open(uploads.Config{Dir: p.dir})
	if err != nil {
		t.Error(err)
		return
	}
	library := &fakeLibrary{}
	s, err := New(Config{Store: st, Library: library, Tracker: &fakeTracker{}, Name: "n"})
	if err != nil {
		t.Error(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { s.Run(ctx) })
	srv := httptest.NewServer(s.Handler())
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.leave != nil {
		p.leave()
	}
	p.url, p.leave = srv.URL, srv.CloseClientConnections
	p.ends = append(p.ends, func() {
		cancel()
		running.Wait()
		srv.Close()
		if err := errors.Join(s.Close(), st.Close()); err != nil {
			t.Error(err)
		}
		if library.corrupt > 0 {
			t.Errorf("%d pieces that do not verify were told", library.corrupt)
		}
	})
}

func (p *place) at() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.url
}

// client sends one upload, along with others that do the same.
type client struct {
	t      *testing.T
	r      *rand.Rand
	places []*place
	d      *api.Description
	data   []byte
	chunk  int
}

// call sends a request to any server; 0: there was no answer.
func (c *client) call(method, path string, body io.Reader, header http.Header, v any) int {
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.places[c.r.IntN(len(c.places))].at()+path, body)
	if err != nil {
		c.t.Error(err)
		return 0
	}
	for k, vs := range header {
		req.Header[k] = vs
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	if json.NewDecoder(resp.Body).Decode(v) != nil {
		return 0
	}
	return resp.StatusCode
}

// run sends until the upload is complete.
func (c *client) run() {
	description, err := json.Marshal(c.d)
	if err != nil {
		c.t.Error(err)
		return
	}
	for c.t.Context().Err() == nil {
		var st api.Status
		switch status := c.call(http.MethodPost, api.Path, bytes.NewReader(description), nil, &st); status {
		case http.StatusOK, http.StatusCreated:
		case 0, http.StatusServiceUnavailable:
			continue
		default:
			c.t.Errorf("describe: %d", status)
			return
		}
		if len(st.Missing) > 0 {
			c.send(st.Missing[c.r.IntN(len(st.Missing))])
			continue
		}
		switch status := c.call(http.MethodPost, api.CompletePath(c.d.Task), nil, nil, &st); status {
		case http.StatusOK:
			return
		case 0, http.StatusConflict, http.StatusServiceUnavailable, http.StatusAccepted:
		default:
			c.t.Errorf("complete: %d", status)
			return
		}
	}
}

// send sends chunks of a run, not always as they should be.
func (c *client) send(missing api.Run) {
	first := missing.First + c.r.IntN(missing.Count)
	count := 1 + c.r.IntN(min(3, missing.First+missing.Count-first))
	good := c.data[first*c.chunk : min((first+count)*c.chunk, len(c.data))]
	var body io.Reader = bytes.NewReader(good)
	digest := api.DigestOf(good)
	want := []int{http.StatusOK, 0, http.StatusServiceUnavailable}
	switch c.r.IntN(4) {
	case 0: // a bit is wrong
		wrong := slices.Clone(good)
		wrong[c.r.IntN(len(wrong))] ^= 1
		body = bytes.NewReader(wrong)
		if len(c.d.Digests) > 0 || len(c.d.Torrent) > 0 {
			digest = api.DigestOf(wrong)
		}
		want[0] = http.StatusUnprocessableEntity
		want = append(want, http.StatusOK) // it was there already
	case 1: // the connection breaks
		body = io.MultiReader(bytes.NewReader(good[:c.r.IntN(len(good))]), iotest.ErrReader(errors.New("the cable is pulled")))
	}
	var answer json.RawMessage
	status := c.call(http.MethodPut, api.ChunksPath(c.d.Task, first, count), body, http.Header{api.ContentDigest: {digest.Field()}}, &answer)
	if !slices.Contains(want, status) {
		c.t.Errorf("chunks %d+%d: %d %s, want %d", first, count, status, answer, want)
	}
}

// L1: several clients send one task to two servers, which are replaced all the time, in all kinds of ways that go
// wrong. What comes of it is the file, and nothing else has been told to anybody.
func TestInterleaved(t *testing.T) {
	const chunk, count = api.MinChunkBytes, 100
	r := rand.New(rand.NewPCG(rand.Uint64(), 1))
	data := make([]byte, count*chunk-100)
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	for name, d := range describeAll(t, data, chunk) {
		t.Run(name, func(t *testing.T) {
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			dir := t.TempDir()
			places := []*place{{dir: dir}, {dir: dir}}
			for _, p := range places {
				p.renew(t)
			}
			done := make(chan struct{})
			var renewing, sending sync.WaitGroup
			renewing.Go(func() {
				tick := time.NewTicker(10 * time.Millisecond)
				defer tick.Stop()
				for i := range 30 {
					select {
					case <-tick.C:
						places[i%len(places)].renew(t)
					case <-done:
						return
					}
				}
			})
			for i := range uint64(4) {
				c := &client{t: t, r: rand.New(rand.NewPCG(seed, i)), places: places, d: d, data: data, chunk: chunk}
				sending.Go(c.run)
			}
			sending.Wait()
			close(done)
			renewing.Wait()
			for _, p := range places {
				for _, end := range p.ends {
					end()
				}
			}
			st, err := uploads.Open(uploads.Config{Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			defer st.Close()
			u, err := st.Get(d.Task)
			if err != nil || !u.Complete() {
				t.Fatalf("not complete: %v", err)
			}
			if got, err := os.ReadFile(u.Path()); err != nil || !bytes.Equal(got, data) {
				t.Errorf("another file: %v", err)
			}
		})
	}
}

// describeAll describes a file in all ways.
func describeAll(t *testing.T, data []byte, chunk int) map[string]*api.Description {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	m, err := shoal.BuildManifest(t.Context(), path, shoal.BuildOptions{PieceLength: chunk})
	if err != nil {
		t.Fatal(err)
	}
	var digests []api.Digest
	for c := range slices.Chunk(data, chunk) {
		digests = append(digests, api.DigestOf(c))
	}
	plain := api.Description{Task: "t", Name: "f", Size: int64(len(data)), ChunkSize: chunk}
	digested := plain
	digested.Digests = digests
	return map[string]*api.Description{"torrent": {Task: "t", Torrent: m.Torrent()}, "digests": &digested, "undigested": &plain}
}
