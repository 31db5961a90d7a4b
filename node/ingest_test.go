package node_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node"
	ingestapi "github.com/shoal-cdn/shoal/node/ingest/api"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// send is one request to an ingest node, which must answer with the status.
func send(t *testing.T, method, url string, body []byte, want int) (st ingestapi.Status) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set(ingestapi.ContentDigest, ingestapi.DigestOf(body).Field())
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != want {
		t.Fatalf("%s %s: %d %s: %v", method, url, resp.StatusCode, text, err)
	}
	if err := json.Unmarshal(text, &st); err != nil {
		t.Fatal(err)
	}
	return st
}

// B3, M10: an edge node has the first half before the second is sent, over a restart of the ingest node, which
// becomes the content's origin.
func TestIngestFlowsThrough(t *testing.T) {
	url, tracker := startTracker(t)
	data := t.TempDir()
	ingest := func() (*running, string) {
		cfg := node.Config{Name: "ingest", Data: data, Trackers: []string{url}, Ingest: node.IngestConfig{On: true}}
		cfg.Gateway.Plain = "127.0.0.1:0"
		n := start(t, cfg)
		return n, n.GatewayURLs()[0]
	}
	in, at := ingest()
	edge := startNode(t, "edge", t.TempDir(), url)
	liveNodes(t, tracker, 2)
	servers, err := tracker.IngestServers(t.Context(), shoal.Locality{})
	if err != nil || len(servers) != 1 || servers[0].Name != "ingest" || servers[0].Gateway[0] != at {
		t.Fatalf("ingest servers %+v: %v", servers, err)
	}

	path := filepath.Join(t.TempDir(), "file.bin")
	want := writeFile(t, path, 40*shoal.MinPieceLength)
	m, err := shoal.BuildManifest(t.Context(), path, shoal.BuildOptions{PieceLength: shoal.MinPieceLength})
	if err != nil {
		t.Fatal(err)
	}
	d, err := json.Marshal(ingestapi.Description{
		Task: "up", Torrent: m.Torrent(), Distribute: &ingestapi.Distribute{NewTask: tapi.NewTask{Nodes: []string{"all"}, Dest: "www/file.bin"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	half := len(want) / 2
	send(t, http.MethodPost, at+ingestapi.Path, d, http.StatusCreated)
	send(t, http.MethodPut, at+ingestapi.ChunksPath("up", 0, 20), want[:half], http.StatusOK)
	eventually(t, "the first half at the edge", func() bool {
		c, err := edge.Content(t.Context(), m.ID())
		return err == nil && c.PiecesHeld == 20
	})
	in.stop()
	in, at = ingest()
	if st := send(t, http.MethodPost, at+ingestapi.Path, d, http.StatusOK); st.Next != 20 {
		t.Fatalf("after a restart: %+v", st)
	}
	send(t, http.MethodPut, at+ingestapi.ChunksPath("up", 20, 20), want[half:], http.StatusOK)
	send(t, http.MethodPost, at+ingestapi.CompletePath("up"), nil, http.StatusOK)
	if task := finished(t, tracker, "up"); task.State != tapi.Succeeded {
		t.Errorf("task: %+v", task)
	}
	if got, err := os.ReadFile(filepath.Join(edge.data, "files", "www", "file.bin")); err != nil || !bytes.Equal(got, want) {
		t.Errorf("another file at the edge: %v", err)
	}
	eventually(t, "the origin", func() bool {
		c, err := in.Content(t.Context(), m.ID())
		return err == nil && c.Role == tapi.Origin
	})
}

// L1: two servers of one store take what the other has got from the store, and send each other nothing.
func TestIngestServersShareStore(t *testing.T) {
	url, tracker := startTracker(t)
	store := t.TempDir()
	var servers []*running
	for _, name := range []string{"one", "two"} {
		cfg := node.Config{Name: name, Data: t.TempDir(), Trackers: []string{url}, Ingest: node.IngestConfig{On: true, Store: store}}
		cfg.Gateway.Plain = "127.0.0.1:0"
		servers = append(servers, start(t, cfg))
	}
	liveNodes(t, tracker, len(servers))
	path := filepath.Join(t.TempDir(), "file.bin")
	const pieces = 64
	want := writeFile(t, path, pieces*shoal.MinPieceLength)
	m, err := shoal.BuildManifest(t.Context(), path, shoal.BuildOptions{PieceLength: shoal.MinPieceLength})
	if err != nil {
		t.Fatal(err)
	}
	d, err := json.Marshal(ingestapi.Description{Task: "up", Torrent: m.Torrent()})
	if err != nil {
		t.Fatal(err)
	}
	held := func(s *running) int {
		c, err := s.Content(t.Context(), m.ID())
		if err != nil {
			return -1
		}
		return c.PiecesHeld
	}
	for i, s := range servers {
		send(t, http.MethodPost, s.GatewayURLs()[0]+ingestapi.Path, d, []int{http.StatusCreated, http.StatusOK}[i])
	}
	for k := range pieces {
		s := servers[k%2]
		send(t, http.MethodPut, s.GatewayURLs()[0]+ingestapi.ChunksPath("up", k, 1), want[k*shoal.MinPieceLength:(k+1)*shoal.MinPieceLength], http.StatusOK)
		if k == pieces/2 { // by now they know each other
			eventually(t, "the first half at both", func() bool { return held(servers[0]) == k+1 && held(servers[1]) == k+1 })
			eventually(t, "that they are connected", func() bool {
				c, err := servers[0].Content(t.Context(), m.ID())
				return err == nil && c.Peers == 1
			})
		}
	}
	send(t, http.MethodPost, servers[0].GatewayURLs()[0]+ingestapi.CompletePath("up"), nil, http.StatusOK)
	for _, s := range servers {
		eventually(t, "all of it at both", func() bool { return held(s) == pieces })
		c, err := s.Content(t.Context(), m.ID())
		if err != nil {
			t.Fatal(err)
		}
		if c.Sent > 0 || c.Bytes.Peers > 0 || c.Bytes.Origin > 0 {
			t.Errorf("%d bytes were sent, %+v received", c.Sent, c.Bytes)
		}
	}
}

func TestIngestConfigIsChecked(t *testing.T) {
	for name, c := range map[string]node.IngestConfig{
		"no gateway":     {On: true},
		"off":            {Store: "x"},
		"relative drop":  {On: true, Drop: "x"},
		"negative limit": {On: true},
	} {
		cfg := node.Config{Name: "n", Data: t.TempDir(), Trackers: []string{"http://127.0.0.1:1"}, Ingest: c}
		if name != "no gateway" {
			cfg.Gateway.Plain = "127.0.0.1:0"
		}
		if name == "negative limit" {
			cfg.Ingest.Limits.Size = -1
		}
		if _, err := node.New(t.Context(), cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
