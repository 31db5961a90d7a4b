//go:build linux

package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/internal/lab"
)

// tusModules is the environment variable that names a folder below which npm has installed
// tus-js-client; without it that is not compared.
const tusModules = "SHOAL_TUS_JS"

// gatewayPort is where package cluster has a node's gateway without TLS.
const gatewayPort = 7180

//go:embed upload_tus.cjs
var tusScript []byte

// tusWays are uploads by tus-js-client to the fastest ingest server, in one part, as is its
// default, and in four.
func tusWays() []uploadWay {
	modules := os.Getenv(tusModules)
	if modules == "" {
		return nil
	}
	var ways []uploadWay
	for _, parallel := range []int{1, 4} {
		ways = append(ways, uploadWay{
			name: fmt.Sprintf("tus-js-client, BBR, parallelUploads %d", parallel),
			run: func(ctx context.Context, p *uploadPlace) (uploadRow, error) {
				return p.tus(ctx, filepath.Join(modules, "node_modules"), parallel)
			},
		})
	}
	return ways
}

// tus uploads with tus-js-client to the ingest node on the fastest server.
func (p *uploadPlace) tus(ctx context.Context, modules string, parallel int) (uploadRow, error) {
	if err := setRouteCongestion(ctx, p.client, "bbr"); err != nil {
		return uploadRow{}, err
	}
	if err := p.startIngest(ctx, 0); err != nil {
		return uploadRow{}, err
	}
	script := filepath.Join(p.dir, "upload.cjs")
	if err := os.WriteFile(script, tusScript, 0o600); err != nil {
		return uploadRow{}, err
	}
	url := "http://" + p.servers[0].AddrPort(gatewayPort).String() + "/v1/tus/"
	row, err := p.command(ctx, lab.ProcessConfig{
		Name: "tus", Command: []string{"node", script, url, p.source.path, strconv.Itoa(parallel)},
		Env: []string{"NODE_PATH=" + modules}, Log: filepath.Join(p.dir, "tus.log"),
	})
	if err != nil {
		return row, err
	}
	copies, err := filepath.Glob(filepath.Join(p.dir, p.servers[0].Name(), "ingest", "*", "data", p.source.name))
	if err != nil || len(copies) != 1 {
		return row, fmt.Errorf("the server has %d files of it, want 1: %w", len(copies), shoal.ErrNotFound)
	}
	return row, p.source.verify(copies[0])
}

// command runs a program on the client that uploads to the fastest server over TCP.
func (p *uploadPlace) command(ctx context.Context, cfg lab.ProcessConfig) (uploadRow, error) {
	var row uploadRow
	began := time.Now()
	proc, err := p.client.Start(cfg)
	if err != nil {
		return row, err
	}
	select {
	case <-proc.Done():
	case <-ctx.Done():
		return row, ctx.Err()
	}
	row.Upload = time.Since(began).Seconds()
	if s, err := proc.Stats(); err == nil {
		row.CPU = s.CPU.Seconds()
	}
	row.Server, row.Transport, row.Sent = p.servers[0].Name(), "tcp", int64(p.source.size)
	if err := proc.Err(); err != nil {
		tail, _ := proc.LogTail(5)
		return row, fmt.Errorf("%w: %s", err, tail)
	}
	return row, nil
}
