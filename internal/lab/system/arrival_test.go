//go:build linux

package system

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/internal/lab"
	"github.com/shoal-cdn/shoal/internal/lab/cluster"
	"github.com/shoal-cdn/shoal/internal/lab/linkem"
)

const (
	farDelay = 30 * time.Millisecond // one way
	farRate  = 20 * mbit
)

// farWorld is a world whose edge node is in another carrier, behind a line of
// 20 Mbit/s with a round trip of 60 ms, on which the origin and the tracker are
// on the other side.
func farWorld(t *testing.T) (w *world, edge *cluster.Node) {
	t.Helper()
	w = newWorld(t, 0, 0)
	far, err := w.lab.AddCarrier("far")
	must(t, err)
	line := linkem.Config{Rate: farRate, Delay: farDelay}
	_, err = w.lab.Connect(w.carrier, far, line, line)
	must(t, err)
	h, err := w.lab.AddHost("edge", lab.HostConfig{Carrier: far})
	must(t, err)
	edge, err = w.cluster.StartNode(t.Context(), h, cluster.NodeConfig{
		Trackers: []string{w.tracker.URL}, Up: farRate, Down: farRate, Locality: shoal.Locality{Carrier: "far"},
	})
	must(t, err)
	return w, edge
}

// fileURL is where a node's gateway has the only file of a content.
func fileURL(n *cluster.Node, id shoal.ContentID, name string) string {
	return fmt.Sprintf("http://%v/v1/contents/%s/files/%s", n.Host().AddrPort(7180), id, name)
}

// curl runs curl beside a node, and returns the body.
func curl(t *testing.T, n *cluster.Node, args ...string) []byte {
	t.Helper()
	cmd := n.Host().Command(t.Context(), "curl", append([]string{"--silent", "--show-error", "--fail", "--max-time", "300"}, args...)...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("curl %s: %v: %s", strings.Join(args, " "), err, &stderr)
	}
	return out
}

// A content that is pulled through is read while it arrives, as curl with ranges does
// and as ffmpeg does, which begins a read without an end, breaks it off, and seeks to
// the index at the file's end and back; and all of it at once. All bytes are right (B5).
func TestReadsDuringArrival(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("needs curl")
	}
	w, edge := farWorld(t)
	source := filepath.Join(t.TempDir(), "film.mp4")
	randomFile(t, source, fileSize, 11)
	data, err := os.ReadFile(source)
	must(t, err)
	seeded, err := w.origin.Seed(t.Context(), source)
	must(t, err)
	url, size := fileURL(edge, seeded.Content, "film.mp4"), len(data)

	whole := filepath.Join(t.TempDir(), "whole")
	full := edge.Host().Command(t.Context(), "curl", "--silent", "--fail", "--max-time", "300", "--output", whole, url)
	begun := time.Now()
	must(t, full.Start())

	late := 0 // reads that found all of it here
	check := func(what string, first int, got []byte, begun time.Time) {
		t.Helper()
		c, err := edge.Content(t.Context(), seeded.Content)
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		t.Logf("%-26s %7d bytes after %4d ms; %d of %d pieces here", what, len(got), time.Since(begun).Milliseconds(), c.PiecesHeld, c.Pieces)
		if c.PiecesHeld == c.Pieces {
			late++
		}
		if len(got) == 0 || !bytes.Equal(got, data[first:first+len(got)]) {
			t.Errorf("%s: %d bytes, or wrong ones", what, len(got))
		}
	}
	for _, r := range []struct{ first, n int }{{0, 65_536}, {size / 2, 100_001}, {size - 65_536, 65_536}, {size / 3, 1}, {size/4*3 - 7, 300_000}} {
		begun := time.Now()
		span := fmt.Sprintf("%d-%d", r.first, r.first+r.n-1)
		got := curl(t, edge, "--range", span, url)
		if len(got) != r.n {
			t.Errorf("range %s: %d bytes", span, len(got))
		}
		check("curl -r "+span, r.first, got, begun)
	}
	for _, r := range []struct {
		what        string
		first, take int
	}{
		{"ffmpeg opens", 0, 32_768},
		{"reads its end", size - 200_000, 200_000},
		{"seeks back", 48, 262_144},
		{"seeks forward", size / 5 * 4, 500_000},
		{"and a little back", size/5*4 - 30_000, 60_000},
	} {
		begun := time.Now()
		check(r.what, r.first, takeFrom(t, edge.Host(), url, r.first, r.take), begun)
	}
	if err := full.Wait(); err != nil {
		t.Errorf("full read: %v", err)
	}
	if got, err := os.ReadFile(whole); err != nil || !bytes.Equal(got, data) {
		t.Errorf("full read: %d bytes, or wrong ones: %v", len(got), err)
	}
	w.settled(edge, seeded.Content)
	c, err := edge.Content(t.Context(), seeded.Content)
	must(t, err)
	t.Logf("all of it after %.1f s: %+v", time.Since(begun).Seconds(), c.Bytes)
	if late > 8 {
		t.Errorf("%d of 10 reads came when all was here: they say nothing", late)
	}
	if again := curl(t, edge, url); !bytes.Equal(again, data) {
		t.Errorf("afterwards: %d bytes, or wrong ones", len(again))
	}
}

// takeFrom asks for a file from a byte on, and hangs up when it has n bytes.
func takeFrom(t *testing.T, h *lab.Host, url string, first, n int) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	must(t, err)
	req.Header.Set("Range", fmt.Sprintf("bytes=%d-", first))
	resp, err := h.HTTPClient().Do(req)
	must(t, err)
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusPartialContent {
		t.Errorf("from %d: %s", first, resp.Status)
	}
	got := make([]byte, n)
	read, err := io.ReadFull(resp.Body, got)
	if err != nil {
		t.Errorf("from %d: %v after %d bytes", first, err, read)
	}
	return got[:read]
}

// How long the first byte of a content takes that is not here, across the line, with
// the tracker on the other side and on this one. It prints figures and expects none.
// For the first content there is no connection to the origin yet.
func TestFirstByte(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("needs curl")
	}
	w, edge := farWorld(t)
	dir := t.TempDir()
	piece := 32 << 10
	ideal := 4*farDelay + time.Duration(float64(piece)/(float64(farRate)*wirePayload)*float64(time.Second))
	t.Logf("2 round trips and a piece of %d KiB: %d ms", piece>>10, ideal.Milliseconds())
	for i, c := range []struct {
		tracker      string
		origin, edge *cluster.Node
	}{{"far", w.origin, edge}, {"near", edge, w.origin}} {
		for j := range 5 {
			name := fmt.Sprintf("file%d%d.bin", i, j)
			source := filepath.Join(dir, name)
			randomFile(t, source, 4<<20, uint64(20+10*i+j))
			seeded, err := c.origin.Seed(t.Context(), source)
			must(t, err)
			out := curl(t, c.edge, "--range", "0-0", "--output", "/dev/null", "--write-out", "%{time_starttransfer}", fileURL(c.edge, seeded.Content, name))
			took, err := strconv.ParseFloat(string(out), 64)
			if err != nil {
				t.Fatalf("curl says %q", out)
			}
			t.Logf("tracker %s, content %d: first byte after %.0f ms, %.2f × that", c.tracker, j, 1000*took, took/ideal.Seconds())
			w.settled(c.edge, seeded.Content)
		}
	}
}

// settled waits until a node has all of a content, so that the line is free.
func (w *world) settled(n *cluster.Node, id shoal.ContentID) {
	w.t.Helper()
	ctx := within(w.t, patience)
	for {
		c, err := n.Content(ctx, id)
		if err == nil && c.Pieces > 0 && c.PiecesHeld == c.Pieces && c.Role != "fetcher" {
			return
		}
		select {
		case <-ctx.Done():
			w.t.Fatalf("%s: %d of %d pieces: %v", n.Name(), c.PiecesHeld, c.Pieces, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
