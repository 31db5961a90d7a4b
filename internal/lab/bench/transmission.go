//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
)

// transmissionDriver runs transmission-daemon per member; torrents are added
// through its RPC interface.
type transmissionDriver struct{ *bittorrent }

func openTransmission(s stage) (driver, error) {
	b, err := newBitTorrent(s)
	if err != nil {
		return nil, err
	}
	return &transmissionDriver{b}, nil
}

func (d *transmissionDriver) startOrigin(ctx context.Context, m member) error {
	if err := d.startNode(ctx, m); err != nil {
		return err
	}
	for _, t := range d.torrents {
		if err := d.add(ctx, m, t, t.source()); err != nil {
			return err
		}
	}
	return d.seeded(ctx, m) // after it has hashed them
}

func (d *transmissionDriver) startNode(ctx context.Context, m member) error {
	if err := d.makeHome(m); err != nil {
		return err
	}
	hook, err := d.hook(m, "$TR_TORRENT_DIR")
	if err != nil {
		return err
	}
	settings, err := json.Marshal(map[string]any{
		"rpc-port": d.rpcPort(m), "rpc-bind-address": "127.0.0.1",
		"rpc-whitelist-enabled": false, "rpc-host-whitelist-enabled": false,
		"bind-address-ipv4": m.host.Addr(), "peer-port": 51413 + m.slot, "port-forwarding-enabled": false,
		"dht-enabled": false, "lpd-enabled": false, "utp-enabled": false,
		"encryption":             0, // plain where the other side lets it
		"peer-limit-global":      2000,
		"peer-limit-per-torrent": 500, "upload-slots-per-torrent": 100,
		"download-queue-enabled": false, "seed-queue-enabled": false, "ratio-limit-enabled": false,
		"preallocation": 0, "cache-size-mb": 16, "rename-partial-files": false,
		"script-torrent-done-enabled": true, "script-torrent-done-filename": hook,
	})
	if err != nil {
		return err
	}
	config := filepath.Join(d.home(m), "config")
	if err := os.Mkdir(config, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(config, "settings.json"), settings, 0o600); err != nil {
		return err
	}
	p, err := d.start(m, "transmission-daemon", "--foreground", "--config-dir", config, "--log-error")
	if err != nil {
		return err
	}
	return until(ctx, "wait for transmission", p, func(ctx context.Context) (bool, error) {
		err := d.call(ctx, m, "session-get", nil)
		return err == nil, err
	})
}

func (d *transmissionDriver) fetch(ctx context.Context, ms []member) error {
	return d.addAll(ctx, ms, func(ctx context.Context, m member, t torrent) error {
		return d.add(ctx, m, t, d.folder(m, t.content))
	})
}

func (d *transmissionDriver) add(ctx context.Context, m member, t torrent, folder string) error {
	return d.call(ctx, m, "torrent-add", map[string]any{"metainfo": t.file, "download-dir": folder, "paused": false})
}

func (d *transmissionDriver) rpcPort(m member) int { return 9091 + m.slot }

// call makes a request. It is made again with the session ID that an answer of
// status 409 gives, which keeps web pages from using the interface.
func (d *transmissionDriver) call(ctx context.Context, m member, method string, arguments any) error {
	url := fmt.Sprintf("http://127.0.0.1:%d/transmission/rpc", d.rpcPort(m))
	const session = "X-Transmission-Session-Id"
	header := make(http.Header)
	for {
		resp, body, err := postJSON(ctx, m, url, header, map[string]any{"method": method, "arguments": arguments})
		if err != nil {
			return err
		}
		if resp.StatusCode == http.StatusConflict && header.Get(session) == "" && resp.Header.Get(session) != "" {
			header.Set(session, resp.Header.Get(session))
			continue
		}
		var answer struct{ Result string }
		if err := json.Unmarshal(body, &answer); err != nil || answer.Result != "success" {
			return fmt.Errorf("%s: %s: %.200s", method, resp.Status, body)
		}
		return nil
	}
}
