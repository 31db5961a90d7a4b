//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/shoal-cdn/shoal/internal/lab"
)

// uploadRow is one way of uploading in one run.
type uploadRow struct {
	Tool    string  `json:"tool"`
	Failure string  `json:"failure,omitempty"`
	Upload  float64 `json:"upload_seconds"`
	Bound   float64 `json:"bound_seconds"` // if the line were full from the first byte to the last, but for what it loses
	Tail    float64 `json:"tail_seconds,omitempty"`
	uploadReport
}

// uploadComparison is all that was measured of uploads, as -json writes it.
type uploadComparison struct {
	About string      `json:"about"`
	Size  int64       `json:"size"`
	Rows  []uploadRow `json:"rows"`
}

// uploadBound is the least time for a file over the line to the fastest server.
func (b *bench) uploadBound(size float64) float64 {
	return size / (uploadLine.payload() * (1 - uploadLine.Loss))
}

// upload compares ways to bring a file to an ingest server and on to the nodes:
// each in a lab of its own, one after the other, and so on for each run.
func (b *bench) upload(ctx context.Context, d design) (err error) {
	s := d.scenario(b.size)
	source, err := os.MkdirTemp(b.dir, "originals-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(source)) }()
	contents, err := makeContents(source, s)
	if err != nil {
		return err
	}
	c := uploadComparison{About: d.about, Size: int64(s.size)}
	var ways []uploadWay
	for _, w := range uploadWays() {
		asked := slices.Contains(strings.Split(b.options.tools, ","), w.tool)
		if asked || b.options.tools == "" && w.tool != "curl-cubic" { // which would take an hour
			ways = append(ways, w)
		}
	}
	for n := range b.runs {
		for _, w := range ways {
			row, err := b.uploadOnce(ctx, contents[0], w.run)
			if ctx.Err() != nil {
				return errors.New("interrupted")
			}
			row.Tool, row.Bound = w.name, b.uploadBound(float64(s.size))
			if err != nil {
				row.Failure = err.Error()
			}
			c.Rows = append(c.Rows, row)
			fmt.Fprintf(b.progress, "%s, %s, run %d of %d: %s\n", uploadName, w.name, n+1, b.runs, row.line())
		}
	}
	b.rep.Uploads = append(b.rep.Uploads, c)
	return b.publishUpload(c)
}

// uploadWay is one way of uploading, and the tool that it is of; "": it is compared where no tools are asked for.
type uploadWay struct {
	tool, name string
	run        func(context.Context, *uploadPlace) (uploadRow, error)
}

func uploadWays() []uploadWay {
	curl := func(congestion string) func(context.Context, *uploadPlace) (uploadRow, error) {
		return func(ctx context.Context, p *uploadPlace) (uploadRow, error) { return p.curl(ctx, congestion) }
	}
	seed := func(nodes int, args ...string) func(context.Context, *uploadPlace) (uploadRow, error) {
		return func(ctx context.Context, p *uploadPlace) (uploadRow, error) { return p.shoal(ctx, nodes, args...) }
	}
	return slices.Concat([]uploadWay{
		{"shoal", "shoal", seed(0)},
		{"curl-bbr", "curl -T, BBR", curl("bbr")},
		{"curl-cubic", "curl -T, cubic", curl("cubic")},
	}, tusWays(), []uploadWay{
		{"shoal", "shoal, distributed meanwhile", seed(uploadNodes, "--to", nodeList(), "--wait")},
		{"shoal", "shoal, distributed afterwards", seed(uploadNodes, "--to", nodeList(), "--wait", "--after-upload")},
	})
}

func nodeList() string {
	list := ""
	for i := range uploadNodes {
		list += fmt.Sprintf(",n%02d", i)
	}
	return list[1:]
}

// uploadOnce runs one way in a lab of its own.
func (b *bench) uploadOnce(ctx context.Context, source content, run func(context.Context, *uploadPlace) (uploadRow, error)) (row uploadRow, err error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Minute)
	defer cancel()
	p, err := b.openUpload(ctx, source)
	if p != nil {
		defer func() { err = errors.Join(err, p.close()) }()
	}
	if err != nil {
		return row, err
	}
	return run(ctx, p)
}

// shoal uploads with "shoal seed", with so many nodes there to distribute to.
func (p *uploadPlace) shoal(ctx context.Context, nodes int, args ...string) (uploadRow, error) {
	if err := p.startIngest(ctx, nodes); err != nil {
		return uploadRow{}, err
	}
	r, err := p.seed(ctx, args...)
	row := uploadRow{Upload: r.Seconds, uploadReport: r}
	if err != nil {
		return row, err
	}
	for i := range nodes {
		row.Tail = r.Total - r.Seconds
		if err := p.source.verify(filepath.Join(p.dir, fmt.Sprintf("n%02d", i), "files", p.source.name)); err != nil {
			return row, err
		}
	}
	return row, nil
}

// curl uploads with one PUT to an nginx with WebDAV on the fastest server.
func (p *uploadPlace) curl(ctx context.Context, congestion string) (uploadRow, error) {
	if err := setRouteCongestion(ctx, p.client, congestion); err != nil {
		return uploadRow{}, err
	}
	url, err := p.startDAV(ctx)
	if err != nil {
		return uploadRow{}, err
	}
	row, err := p.command(ctx, lab.ProcessConfig{
		Name: "curl", Command: []string{"curl", "-sS", "--fail", "-T", p.source.path, url}, Log: filepath.Join(p.dir, "curl.log"),
	})
	if err != nil {
		return row, err
	}
	return row, p.source.verify(filepath.Join(p.dir, "dav", p.source.name))
}

// startDAV starts nginx with WebDAV on the fastest server, and returns the
// URL of the folder that it keeps.
func (p *uploadPlace) startDAV(ctx context.Context) (string, error) {
	home := filepath.Join(p.dir, "dav")
	if err := os.MkdirAll(home, 0o755); err != nil {
		return "", err
	}
	h := p.servers[0]
	addr := h.AddrPort(webPort).String()
	conf := fmt.Sprintf(`daemon off; master_process off; user root; pid %[1]s/nginx.pid; error_log %[1]s/error.log;
events { worker_connections 64; }
http {
  access_log off; client_max_body_size 0;
  client_body_temp_path %[1]s/t1; proxy_temp_path %[1]s/t2; fastcgi_temp_path %[1]s/t3; uwsgi_temp_path %[1]s/t4; scgi_temp_path %[1]s/t5;
  server { listen %[2]s; root %[1]s; dav_methods PUT; }
}
`, home, addr)
	file := filepath.Join(p.dir, "dav.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		return "", err
	}
	proc, err := h.Start(lab.ProcessConfig{Name: "nginx", Command: []string{"nginx", "-p", home, "-c", file}, Log: filepath.Join(p.dir, "nginx.log")})
	if err != nil {
		return "", err
	}
	return "http://" + addr + "/", until(ctx, "wait for nginx", proc, func(ctx context.Context) (bool, error) {
		conn, err := h.DialContext(ctx, "tcp", addr)
		if err != nil {
			return false, err
		}
		return true, conn.Close()
	})
}

// line says in short what a run showed.
func (r uploadRow) line() string {
	if r.Failure != "" {
		return "FAILED: " + r.Failure
	}
	s := fmt.Sprintf("%.1f s, %.3f × bound, to %s over %s", r.Upload, r.Upload/r.Bound, r.Server, r.Transport)
	if r.Tail > 0 {
		s += ", the last node " + strconv.FormatFloat(r.Tail, 'f', 2, 64) + " s later"
	}
	for _, c := range r.Candidates {
		if c.Up > 0 {
			s += fmt.Sprintf("; %s %s %s", c.Server, c.Transport, c.Up.Short())
		}
	}
	return s
}
