//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/internal/lab"
	"github.com/shoal-cdn/shoal/internal/lab/cluster"
	"github.com/shoal-cdn/shoal/internal/lab/linkem"
)

const (
	uploadName  = "upload"
	uploadNodes = 8
)

// uploadLine is the client's line, in each direction.
var uploadLine = line{Config: linkem.Config{Rate: 100 * mbit, Delay: 40 * time.Millisecond, Loss: 0.005}}

// uploadServers are the downlinks of the ingest servers: the client's line is the
// narrowest part of the way to the first.
var uploadServers = []shoal.Rate{400 * mbit, 40 * mbit, 10 * mbit}

// uploadDesigns is the one about the way to the origin rather than from it: it
// has runs of its own, see [bench.upload].
func uploadDesigns() []design {
	return []design{{
		uploadName, fmt.Sprintf("a file from a client behind a line of %v to one of three ingest servers of 400, 40 and 10 Mbit/s, and on to %d nodes of 100 Mbit/s",
			uploadLine, uploadNodes), 1 << 30,
		func(shoal.Size) scenario { return equal(uploadNodes, 100*mbit) },
	}}
}

// uploadPlace is the lab of one run.
type uploadPlace struct {
	lab     *lab.Lab
	cluster *cluster.Cluster
	tracker *cluster.Tracker
	client  *lab.Host
	servers []*lab.Host
	line    *lab.Link
	dir     string
	binary  string
	source  content
}

// openUpload makes the lab. The caller closes it, also after an error.
func (b *bench) openUpload(ctx context.Context, source content) (*uploadPlace, error) {
	dir, err := os.MkdirTemp(b.dir, "upload-")
	if err != nil {
		return nil, err
	}
	p := &uploadPlace{dir: dir, binary: b.binary, source: source, cluster: cluster.Open(cluster.Config{Binary: b.binary, Data: dir, Logs: dir})}
	if p.lab, err = lab.New(); err != nil {
		return p, err
	}
	home, err1 := p.lab.AddCarrier("home")
	isp, err2 := p.lab.AddCarrier("isp")
	if err := errors.Join(err1, err2); err != nil {
		return p, err
	}
	there, back := uploadLine.Config, uploadLine.Config
	there.Seed, back.Seed = uint64(time.Now().UnixNano()), uint64(time.Now().UnixNano())+1
	if p.line, err = p.lab.Connect(home, isp, there, back); err != nil {
		return p, err
	}
	if p.client, err = p.lab.AddHost("client", lab.HostConfig{Carrier: home}); err != nil {
		return p, err
	}
	tracker, err := p.lab.AddHost("tracker", lab.HostConfig{Carrier: isp})
	if err != nil {
		return p, err
	}
	for i, rate := range uploadServers {
		h, err := p.lab.AddHost(fmt.Sprintf("in%d", i), lab.HostConfig{Carrier: isp, Up: rate, Down: rate})
		if err != nil {
			return p, err
		}
		p.servers = append(p.servers, h)
	}
	p.tracker, err = p.cluster.StartTracker(ctx, tracker)
	return p, err
}

func (p *uploadPlace) close() error {
	err := p.cluster.Close()
	if p.lab != nil {
		err = errors.Join(err, p.lab.Close())
	}
	return errors.Join(err, os.RemoveAll(p.dir))
}

// startIngest starts the ingest nodes, and n nodes besides.
func (p *uploadPlace) startIngest(ctx context.Context, n int) error {
	for i, h := range p.servers {
		if _, err := p.cluster.StartNode(ctx, h, cluster.NodeConfig{
			Trackers: []string{p.tracker.URL}, Locality: shoal.Locality{Carrier: "isp"},
			Up: uploadServers[i], Down: uploadServers[i], Args: []string{"--ingest", "--ingest-free", "1MiB"},
		}); err != nil {
			return err
		}
	}
	for i := range n {
		h, err := p.lab.AddHost(fmt.Sprintf("n%02d", i), lab.HostConfig{Carrier: p.servers[0].Carrier(), Up: 100 * mbit, Down: 100 * mbit})
		if err != nil {
			return err
		}
		if _, err := p.cluster.StartNode(ctx, h, cluster.NodeConfig{
			Trackers: []string{p.tracker.URL}, Locality: shoal.Locality{Carrier: "isp"}, Up: 100 * mbit, Down: 100 * mbit,
		}); err != nil {
			return err
		}
	}
	return nil
}

// seed runs "shoal seed" on the client.
func (p *uploadPlace) seed(ctx context.Context, args ...string) (uploadReport, error) {
	var r uploadReport
	log := filepath.Join(p.dir, "seed.log")
	args = append([]string{p.binary, "seed", p.source.path, "--tracker", p.tracker.URL, "--carrier", "home", "--json", "-v"}, args...)
	began := time.Now()
	proc, err := p.client.Start(lab.ProcessConfig{Name: "seed", Command: args, Env: []string{"XDG_CACHE_HOME=" + p.dir}, Log: log})
	if err != nil {
		return r, err
	}
	select {
	case <-proc.Done():
	case <-ctx.Done():
		return r, ctx.Err()
	}
	r.Total = time.Since(began).Seconds()
	if err := proc.Err(); err != nil {
		tail, _ := proc.LogTail(10)
		return r, fmt.Errorf("%w: %s", err, tail)
	}
	text, err := os.ReadFile(log)
	if err != nil {
		return r, err
	}
	if s, err := proc.Stats(); err == nil {
		r.CPU = s.CPU.Seconds()
	}
	return r, json.Unmarshal(lastJSON(text), &r)
}

// lastJSON is the last indented JSON object of a log.
func lastJSON(log []byte) []byte {
	for i := len(log) - 2; i > 0; i-- {
		if log[i] == '{' && log[i-1] == '\n' && log[i+1] == '\n' {
			return log[i:]
		}
	}
	return log
}

// uploadReport is what the command says of an upload, and what was seen of it.
type uploadReport struct {
	Seconds   float64 `json:"seconds"`
	Server    string  `json:"server"`
	Transport string  `json:"transport"`
	Sent      int64   `json:"bytes_sent"`
	Resent    int64   `json:"bytes_resent"`
	Probe     float64 `json:"probe_seconds"`

	Candidates []struct {
		Server    string     `json:"server"`
		Transport string     `json:"transport"`
		Up        shoal.Rate `json:"up"`
	} `json:"candidates"`

	Total float64 `json:"total_seconds"` // of the command, and so of the distribution where it waited for one
	CPU   float64 `json:"cpu_seconds"`
}
