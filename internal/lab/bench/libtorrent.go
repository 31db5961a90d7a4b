//go:build linux

package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/shoal-cdn/shoal/internal/lab"
)

// python is Debian's, which is what python3-libtorrent is for.
const python = "/usr/bin/python3"

//go:embed member.py
var libtorrentProgram []byte

// libtorrentDriver runs a small program around libtorrent per member. A signal
// is the order.
type libtorrentDriver struct {
	*bittorrent
	program string
}

func openLibtorrent(s stage) (driver, error) {
	b, err := newBitTorrent(s)
	if err != nil {
		return nil, err
	}
	d := &libtorrentDriver{b, filepath.Join(s.dir, "member.py")}
	return d, os.WriteFile(d.program, libtorrentProgram, 0o644)
}

// libtorrentConfig is what member.py reads.
type libtorrentConfig struct {
	Listen   string              `json:"listen"`
	Ready    string              `json:"ready"` // it makes this file when it can be given orders
	Seed     bool                `json:"seed"`
	Thin     bool                `json:"thin"` // its link has a limit
	Torrents []libtorrentTorrent `json:"torrents"`
}

type libtorrentTorrent struct {
	File   string `json:"file"`
	Folder string `json:"folder"`
	Marker string `json:"marker"`
}

func (d *libtorrentDriver) startOrigin(ctx context.Context, m member) error {
	if err := d.run(ctx, m, true); err != nil {
		return err
	}
	return d.seeded(ctx, m)
}

func (d *libtorrentDriver) startNode(ctx context.Context, m member) error {
	return d.run(ctx, m, false)
}

func (d *libtorrentDriver) run(ctx context.Context, m member, seed bool) error {
	if err := d.makeHome(m); err != nil {
		return err
	}
	cfg := libtorrentConfig{
		Listen: m.host.AddrPort(uint16(6881 + m.slot)).String(),
		Ready:  filepath.Join(d.home(m), "ready"),
		Seed:   seed,
		Thin:   m.link.up > 0,
	}
	for _, t := range d.torrents {
		folder := d.folder(m, t.content)
		if seed {
			folder = t.source()
		}
		cfg.Torrents = append(cfg.Torrents, libtorrentTorrent{d.torrentFile(t), folder, d.marker(m, t.content)})
	}
	text, err := json.Marshal(cfg)
	if err != nil {
		return err
	}
	file := filepath.Join(d.home(m), "config.json")
	if err := os.WriteFile(file, text, 0o644); err != nil {
		return err
	}
	p, err := d.start(m, python, d.program, file)
	if err != nil {
		return err
	}
	return until(ctx, "wait for libtorrent", p, func(context.Context) (bool, error) { return exists(cfg.Ready) })
}

func (d *libtorrentDriver) fetch(_ context.Context, ms []member) error {
	for _, m := range ms {
		if err := notify(d.processes(m)[0], unix.SIGUSR1); err != nil {
			return fmt.Errorf("order %s: %w", m.name, err)
		}
	}
	return nil
}

// notify sends a signal to a process that is known to run.
func notify(p *lab.Process, s unix.Signal) error {
	select {
	case <-p.Done():
		return fmt.Errorf("%s ended: %w", p.Name(), p.Err())
	default:
		return unix.Kill(p.PID(), s)
	}
}
