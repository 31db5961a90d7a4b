package node_test

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal/node"
	"github.com/shoal-cdn/shoal/node/api"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// lanPort is a UDP port that nobody has.
func lanPort(t *testing.T) uint16 {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).AddrPort().Port()
}

// Nodes that find each other on loopback alone (M5, M6): by a node's API, by a Get, and
// from the one that has only just got it.
func TestLANWithoutTracker(t *testing.T) {
	port := lanPort(t)
	a := start(t, node.Config{Name: "a", Data: t.TempDir(), LANPort: port})
	b := start(t, node.Config{Name: "b", Data: t.TempDir(), LANPort: port})
	path := filepath.Join(t.TempDir(), "film.bin")
	data := writeFile(t, path, 3_000_000)
	seeded, err := a.Seed(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Fetch(t.Context(), api.Fetch{Content: seeded.Content}); err != nil {
		t.Fatal(err)
	}
	var got api.Content
	eventually(t, "b has it", func() bool {
		got, err = b.Content(t.Context(), seeded.Content)
		return err == nil && got.Role == tapi.Holder
	})
	if copied, err := os.ReadFile(got.Path); err != nil || !bytes.Equal(copied, data) {
		t.Errorf("b's copy differs: %v", err)
	}
	a.stop()

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	copied := filepath.Join(t.TempDir(), "copy")
	result, err := node.Get(ctx, node.GetConfig{
		LANPort: port, Content: seeded.Content, Output: copied, Listen: "127.0.0.1:0", Log: logTo(t),
	})
	if err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(copied); err != nil || !bytes.Equal(b, data) || result.Bytes.Peers != int64(len(data)) {
		t.Errorf("the copy differs: %v; %+v", err, result)
	}
	if s, err := b.Client.Status(ctx); err != nil || s.Tracker != "" {
		t.Errorf("status: %+v, %v", s, err)
	}
	if ready := get(t, b.URL()+"/readyz"); !strings.Contains(ready, `"ready":true`) || strings.Contains(ready, "error") {
		t.Errorf("readyz: %s", ready)
	}
}

// A tracker that does not know a content, or that is not there, keeps nobody from
// getting it on the LAN.
func TestLANBesidesTracker(t *testing.T) {
	port := lanPort(t)
	url, _ := startTracker(t)
	a := start(t, node.Config{Name: "a", Data: t.TempDir(), LANPort: port})
	path := filepath.Join(t.TempDir(), "film.bin")
	writeFile(t, path, 300_000)
	seeded, err := a.Seed(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	var both sync.WaitGroup
	defer both.Wait()
	for name, tracker := range map[string]string{"unknown there": url, "away": "http://127.0.0.1:1"} {
		dir := t.TempDir()
		both.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			_, err := node.Get(ctx, node.GetConfig{
				Trackers: []string{tracker}, LANPort: port, Content: seeded.Content, Output: filepath.Join(dir, "copy"), Listen: "127.0.0.1:0",
			})
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}
