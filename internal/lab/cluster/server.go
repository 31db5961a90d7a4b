//go:build linux

package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/shoal-cdn/shoal/internal/lab"
)

const (
	// readyPatience bounds the wait for a process to become ready.
	readyPatience = time.Minute
	// readyInterval is the time between two looks.
	readyInterval = 20 * time.Millisecond
	// maxAnswer bounds an HTTP answer.
	maxAnswer = 64 << 20
)

// Server is a long-running process with an HTTP API.
type Server struct {
	*lab.Process
	URL     string // base, as reached from any host of the lab that has a way to it
	Dir     string // its data directory
	cluster *Cluster
}

// WaitReady waits until the process answers /readyz with 200. It gives up when
// the process ends, after a minute, or when ctx is over, and then the error holds
// the end of the log.
func (s *Server) WaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyPatience)
	defer cancel()
	done := s.Done()
	for {
		err := s.get(ctx, "/readyz", nil)
		if err == nil {
			return nil
		}
		select {
		case <-done:
			err = fmt.Errorf("it ended: %w", s.Err())
		case <-ctx.Done():
		case <-time.After(readyInterval):
			continue
		}
		tail, _ := s.LogTail(tailLines)
		return fmt.Errorf("%s is not ready: %w; end of its log:\n%s", s.Name(), err, tail)
	}
}

// Restart starts the same command on the same data again, after [lab.Process.Kill]
// or Stop, and waits until it is ready.
func (s *Server) Restart(ctx context.Context) error {
	if err := s.Process.Restart(); err != nil {
		return err
	}
	return s.WaitReady(ctx)
}

// Get decodes the JSON answer to a GET request, sent from the process's own host
// so that it takes no part of any link.
func (s *Server) Get(ctx context.Context, path string, v any) error {
	if err := s.get(ctx, path, v); err != nil {
		return fmt.Errorf("%s: %w", s.Name(), err)
	}
	return nil
}

func (s *Server) get(ctx context.Context, path string, v any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+path, nil)
	if err != nil {
		return err
	}
	resp, err := s.Host().HTTPClient().Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("GET %s: %w", path, err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s: %s", path, resp.Status, lastLines(string(body)))
	}
	if v == nil {
		return nil
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("GET %s: %w", path, err)
	}
	return nil
}
