package node_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/fallback"
	"github.com/shoal-cdn/shoal/node"
)

// B5, M8: a reader who seeks to the end of a content that only a web server has, over
// a line that takes seconds for all of it, need not wait for what comes before.
func TestSeekInPullThrough(t *testing.T) {
	const lineRate = 2 << 20
	dir := t.TempDir()
	path := filepath.Join(dir, "film.bin")
	data := writeFile(t, path, 8<<20)
	limit := rate.NewLimiter(lineRate, 32<<10)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(&slowWriter{w, r, limit}, r, path)
	}))
	t.Cleanup(func() { web.CloseClientConnections(); web.Close() })

	m, err := shoal.BuildManifest(t.Context(), path, shoal.BuildOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if m, err = m.WithWebSeeds([]string{web.URL + "/film.bin"}); err != nil {
		t.Fatal(err)
	}
	url, tc := startTracker(t)
	if _, err := tc.PutContent(t.Context(), m.Torrent()); err != nil {
		t.Fatal(err)
	}
	edge, _, plain := startGateway(t, node.Config{
		Name: "edge", Trackers: []string{url}, Gateway: node.GatewayConfig{Fetch: 64 << 20},
		WebGuard: fallback.Guard{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}},
	})
	liveNodes(t, tc, 1)
	file := plain + "/v1/contents/" + m.ID().String() + "/files/film.bin"

	for _, seek := range []struct {
		span        string
		first, last int
	}{
		{"0-999", 0, 1000}, // the fetch begins at the front
		{"-100000", len(data) - 100_000, len(data)},
		{"5000000-5099999", 5_000_000, 5_100_000},
	} {
		begun := time.Now()
		res, got := browse(t, http.DefaultClient, file, seek.span)
		if res.StatusCode != http.StatusPartialContent || !bytes.Equal(got, data[seek.first:seek.last]) {
			t.Fatalf("%s: %s, %d bytes, or wrong ones", seek.span, res.Status, len(got))
		}
		c, err := edge.Content(t.Context(), m.ID())
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s after %v: %d of %d pieces are here", seek.span, time.Since(begun), c.PiecesHeld, c.Pieces)
		if c.PiecesHeld > c.Pieces/2 {
			t.Errorf("%s: %d of %d pieces came before", seek.span, c.PiecesHeld, c.Pieces)
		}
	}
}

// slowWriter sends at a rate that it shares.
type slowWriter struct {
	http.ResponseWriter
	r     *http.Request
	limit *rate.Limiter
}

func (w *slowWriter) Write(p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		part := p[n:min(n+w.limit.Burst(), len(p))]
		if err = w.limit.WaitN(w.r.Context(), len(part)); err == nil {
			var m int
			m, err = w.ResponseWriter.Write(part)
			n += m
		}
	}
	return n, err
}
