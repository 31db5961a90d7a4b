//go:build linux

package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/shoal-cdn/shoal/internal/lab"
)

const (
	// tailLines is how much of a log a failure or an error shows.
	tailLines = 30

	trackerPort = 7070
	nodePort    = 7000 // libp2p; with NodeConfig.Slot 0
	httpPort    = 7080 // the node's HTTP API; likewise
	plainPort   = 7180 // its gateway; likewise
	securePort  = 7280 // its gateway with TLS; likewise
)

// Config says what a cluster runs and where it leaves what. Both directories
// must exist; nothing in them is removed.
type Config struct {
	Binary string // path of shoal
	Data   string // gets every process's data directory, by the process's name
	Logs   string // gets every process's log, likewise
}

// Cluster starts processes and collects what they leave. It is safe for
// concurrent use, so that many nodes can be started at once.
type Cluster struct {
	cfg Config

	mu      sync.Mutex // guards servers
	servers []*Server
}

// Open returns a cluster without processes. It must be closed.
func Open(cfg Config) *Cluster { return &Cluster{cfg: cfg} }

// Close kills all processes and waits until they are gone. It is idempotent.
func (c *Cluster) Close() error {
	var errs []error
	for _, s := range c.all() {
		errs = append(errs, s.Kill())
	}
	return errors.Join(errs...)
}

func (c *Cluster) all() []*Server {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]*Server(nil), c.servers...)
}

// Command runs a short-lived shoal command on a host and decodes the last JSON
// value of its standard output into v. It does so even where the command
// fails, for a failed task is described too. The error holds the end of
// standard error.
func (c *Cluster) Command(ctx context.Context, h *lab.Host, v any, args ...string) error {
	var stdout, stderr bytes.Buffer
	cmd := h.Command(ctx, c.cfg.Binary, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if err != nil {
		err = fmt.Errorf("shoal %s: %w: %s", strings.Join(args, " "), err, lastLines(stderr.String()))
	}
	if v == nil || err != nil && stdout.Len() == 0 {
		return err
	}
	if jsonErr := decodeLast(&stdout, v); jsonErr != nil {
		err = errors.Join(err, fmt.Errorf("shoal %s: output: %w", strings.Join(args, " "), jsonErr))
	}
	return err
}

// decodeLast decodes the last of a sequence of JSON values.
func decodeLast(r io.Reader, v any) error {
	var last json.RawMessage
	for d := json.NewDecoder(r); ; {
		var next json.RawMessage
		switch err := d.Decode(&next); {
		case err == nil:
			last = next
		case !errors.Is(err, io.EOF):
			return err
		case last == nil:
			return io.ErrUnexpectedEOF
		default:
			return json.Unmarshal(last, v)
		}
	}
}

func lastLines(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-tailLines):], "\n")
}

// start starts the process of the given name and waits until it is ready.
func (c *Cluster) start(ctx context.Context, h *lab.Host, name, addr string, args []string) (*Server, error) {
	dir := filepath.Join(c.cfg.Data, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p, err := h.Start(lab.ProcessConfig{
		Name:    name,
		Command: append([]string{c.cfg.Binary}, args...),
		Log:     filepath.Join(c.cfg.Logs, name+".log"),
	})
	if err != nil {
		return nil, err
	}
	s := &Server{Process: p, URL: "http://" + addr, Dir: dir, cluster: c}
	c.mu.Lock()
	c.servers = append(c.servers, s)
	c.mu.Unlock()
	return s, s.WaitReady(ctx)
}
