//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
)

// aria2Driver runs aria2c as a daemon per member; torrents are added through its
// JSON-RPC interface.
type aria2Driver struct{ *bittorrent }

func openAria2(s stage) (driver, error) {
	b, err := newBitTorrent(s)
	if err != nil {
		return nil, err
	}
	return &aria2Driver{b}, nil
}

func (d *aria2Driver) startOrigin(ctx context.Context, m member) error {
	if err := d.startNode(ctx, m); err != nil {
		return err
	}
	for _, t := range d.torrents {
		// It is known to be complete: hashing it again would only take time.
		if err := d.add(ctx, m, t, map[string]string{"dir": t.source(), "bt-seed-unverified": "true"}); err != nil {
			return err
		}
	}
	return d.seeded(ctx, m)
}

func (d *aria2Driver) startNode(ctx context.Context, m member) error {
	if err := d.makeHome(m); err != nil {
		return err
	}
	hook, err := d.hook(m, "$3") // its third argument is the path of the first file
	if err != nil {
		return err
	}
	p, err := d.start(m, "aria2c", "--no-conf=true",
		"--enable-rpc=true", "--rpc-listen-port="+strconv.Itoa(d.rpcPort(m)),
		"--rpc-max-request-size=64M", "--rpc-save-upload-metadata=false",
		"--dir="+d.home(m), "--file-allocation=none", "--max-concurrent-downloads=1000",
		"--listen-port="+strconv.Itoa(6881+m.slot), "--disable-ipv6=true", "--async-dns=false",
		"--enable-dht=false", "--enable-dht6=false", "--bt-enable-lpd=false",
		"--seed-ratio=0.0", "--bt-max-peers=0", "--bt-detach-seed-only=true",
		"--on-bt-download-complete="+hook,
		"--show-console-readout=false", "--summary-interval=0", "--console-log-level=notice",
	)
	if err != nil {
		return err
	}
	return until(ctx, "wait for aria2", p, func(ctx context.Context) (bool, error) {
		err := d.call(ctx, m, "aria2.getVersion")
		return err == nil, err
	})
}

func (d *aria2Driver) fetch(ctx context.Context, ms []member) error {
	return d.addAll(ctx, ms, func(ctx context.Context, m member, t torrent) error {
		return d.add(ctx, m, t, map[string]string{"dir": d.folder(m, t.content)})
	})
}

func (d *aria2Driver) add(ctx context.Context, m member, t torrent, options map[string]string) error {
	return d.call(ctx, m, "aria2.addTorrent", t.file, []string{}, options)
}

func (d *aria2Driver) rpcPort(m member) int { return 6800 + m.slot }

func (d *aria2Driver) call(ctx context.Context, m member, method string, params ...any) error {
	resp, body, err := postJSON(ctx, m, fmt.Sprintf("http://127.0.0.1:%d/jsonrpc", d.rpcPort(m)), nil,
		map[string]any{"jsonrpc": "2.0", "id": "1", "method": method, "params": append([]any{}, params...)})
	if err != nil {
		return err
	}
	var answer struct{ Error json.RawMessage }
	if err := json.Unmarshal(body, &answer); err != nil || answer.Error != nil || resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %.200s", method, resp.Status, body)
	}
	return nil
}
