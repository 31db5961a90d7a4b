//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
)

const btTrackerPort = 6969

// bittorrent is what the drivers of BitTorrent clients have in common: the
// torrents, and a tracker that serves them within this process, on the host
// without limits.
type bittorrent struct {
	*crew
	torrents []torrent // in the order of contents
	tracker  *btTracker
	server   *http.Server
}

func newBitTorrent(s stage) (*bittorrent, error) {
	b := &bittorrent{crew: newCrew(s), tracker: newBTTracker()}
	addr := s.tracker.AddrPort(btTrackerPort)
	for _, c := range s.contents {
		t, err := makeTorrent(c, fmt.Sprintf("http://%v/announce", addr), s.piece)
		if err != nil {
			return nil, err
		}
		b.torrents = append(b.torrents, t)
		if err := os.WriteFile(b.torrentFile(t), t.file, 0o644); err != nil {
			return nil, err
		}
	}
	ln, err := s.tracker.Listen(context.Background(), btTrackerPort)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /announce", b.tracker)
	b.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = b.server.Serve(ln) }() // it returns when it is closed
	return b, nil
}

func (b *bittorrent) torrentFile(t torrent) string {
	return filepath.Join(b.dir, t.content.name+".torrent")
}

func (b *bittorrent) close() error { return b.server.Close() }

// seeded waits until the tracker has heard of a seed of every torrent.
func (b *bittorrent) seeded(ctx context.Context, m member) error {
	return until(ctx, "wait for "+m.name+" to seed", b.processes(m)[0], func(context.Context) (bool, error) {
		for _, t := range b.torrents {
			if b.tracker.seeds(t.infoHash) == 0 {
				return false, nil
			}
		}
		return true, nil
	})
}

// hook writes a program that makes the marker of a content, for a client that
// runs one when it has completed a torrent. path is how the shell finds
// something within the content's folder.
func (b *bittorrent) hook(m member, path string) (string, error) {
	hook := filepath.Join(b.home(m), "hook")
	base := b.home(m) + "/"
	script := fmt.Sprintf("#!/bin/sh\nrest=%s\nrest=${rest#%s}\n: > \"%s${rest%%%%/*}.done\"\n", path, base, base)
	return hook, os.WriteFile(hook, []byte(script), 0o755)
}

// addAll gives these members all torrents, through their own interfaces.
func (b *bittorrent) addAll(ctx context.Context, ms []member, add func(context.Context, member, torrent) error) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, m := range ms {
		g.Go(func() error {
			for _, t := range b.torrents {
				if err := add(ctx, m, t); err != nil {
					return fmt.Errorf("add %s to %s: %w", t.content.name, m.name, err)
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// postJSON sends a request to a client's own interface, from its host.
func postJSON(ctx context.Context, m member, url string, header http.Header, body any) (*http.Response, []byte, error) {
	b, err := json.Marshal(body)
	if err != nil {
		return nil, nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(b))
	if err != nil {
		return nil, nil, err
	}
	for k, v := range header {
		req.Header[k] = v
	}
	resp, err := m.host.HTTPClient().Do(req)
	if err != nil {
		return nil, nil, err
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return resp, answer, errors.Join(err, resp.Body.Close())
}
