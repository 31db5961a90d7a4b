package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/store"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// progressEvery is how often GetConfig.Progress is called.
const progressEvery = 200 * time.Millisecond

// GetConfig says what to get and how. Fields that Config has too mean the same.
type GetConfig struct {
	Trackers []string
	LANPort  uint16
	Content  shoal.ContentID // required

	// Output is the path the content gets; its folder must exist. What is
	// fetched meanwhile is kept in a hidden folder beside it, ".NAME.shoal",
	// from which an interrupted Get goes on. Required.
	Output string

	Listen   string
	Up, Down shoal.Rate
	Locality shoal.Locality
	Log      *slog.Logger

	// Timeout is for how long nothing may come before Get gives up: nobody who has the
	// content, and no data of it. What the disk takes is not counted. 0 means for ever.
	// Negative values are not allowed.
	Timeout time.Duration

	// Progress, unless nil, is called about five times a second from Get's own
	// goroutine.
	Progress func(Progress)
}

// Progress is how far a Get is.
type Progress struct {
	Name               string // "" until the manifest is known
	Done, Total        int64  // bytes verified and in all; Total is 0 until the manifest is known
	Pieces, PiecesHeld int
	Peers              int // connected; 0 for some time means waiting for a holder
	Bytes              tapi.Bytes
	Tracker            error // why no tracker answers; nil while one does, or there is none
}

// Result is what a Get brought.
type Result struct {
	Path    string       `json:"path"` // absolute
	Name    string       `json:"name"` // the content's own
	Size    int64        `json:"size"` // bytes
	Seconds float64      `json:"seconds"`
	Bytes   tapi.Bytes   `json:"bytes"` // received by this Get and those before that it went on from
	Faults  []tapi.Fault `json:"faults,omitempty"`
}

// Get joins a content's swarm as a guest, fetches the content, verifies every
// piece, puts it at cfg.Output in one rename, and leaves. As long as nobody
// holds the content, or no tracker answers, it waits; cfg.Timeout bounds that, and
// ending ctx stops it. The next Get with the same Output goes on where it stopped.
//
// The error is of kind [shoal.ErrConflict] where something is at Output,
// [shoal.ErrNotFound] where the tracker does not know the content, and
// [shoal.ErrUnavailable] after cfg.Timeout.
func Get(ctx context.Context, cfg GetConfig) (Result, error) {
	r, err := get(ctx, cfg)
	if err != nil {
		return Result{}, fmt.Errorf("get %s: %w", cfg.Content.Short(), err)
	}
	return r, nil
}

func get(ctx context.Context, cfg GetConfig) (Result, error) {
	path, err := filepath.Abs(cfg.Output)
	if err != nil {
		return Result{}, err
	}
	folder, name := filepath.Split(path)
	own := "." + name + ".shoal"
	if err := checkOutput(cfg, path, filepath.Join(folder, own)); err != nil {
		return Result{}, err
	}
	ended := make(chan error, 1)
	n, err := open(ctx, Config{
		Name: "guest-" + strings.ToLower(rand.Text()[:10]), Data: filepath.Join(folder, own), Guest: true,
		Listen: cfg.Listen, Trackers: cfg.Trackers, LANPort: cfg.LANPort, DHT: true, Locality: cfg.Locality, Up: cfg.Up, Down: cfg.Down, Log: cfg.Log,
	}, options{
		layout: store.Config{Root: folder, State: own + "/state", Partial: own + "/partial", Files: "."},
		ended: func(id shoal.ContentID, err error) {
			if id != cfg.Content {
				return
			}
			select {
			case ended <- err:
			default: // the first end is what Get waits for
			}
		},
	})
	if err != nil {
		return Result{}, err
	}
	return n.getOnce(ctx, cfg, name, ended)
}

// checkOutput makes sure that Output is free, or was published by a Get that
// was cut off before it had tidied up, which its folder shows.
func checkOutput(cfg GetConfig, path, own string) error {
	switch {
	case cfg.Content.IsZero():
		return fmt.Errorf("%w: no content", shoal.ErrInvalid)
	case cfg.Timeout < 0:
		return fmt.Errorf("timeout %v: %w: negative", cfg.Timeout, shoal.ErrInvalid)
	case cfg.Output == "" || strings.HasSuffix(cfg.Output, string(filepath.Separator)):
		return fmt.Errorf("output %q: %w: want the path of the file or folder to make", cfg.Output, shoal.ErrInvalid)
	}
	if _, err := os.Stat(filepath.Dir(path)); err != nil {
		return fmt.Errorf("output folder: %w", err)
	}
	_, there := os.Lstat(path)
	_, begun := os.Lstat(own)
	if there == nil && errors.Is(begun, fs.ErrNotExist) {
		return fmt.Errorf("output %s: %w: something is there already; move it away or choose another path", path, shoal.ErrConflict)
	}
	return nil
}

// getOnce is the life of a guest. It releases n.
func (n *Node) getOnce(ctx context.Context, cfg GetConfig, name string, ended <-chan error) (Result, error) {
	if err := n.prepare(cfg.Content, name); err != nil {
		return Result{}, errors.Join(err, n.close())
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	stopped := make(chan error, 1)
	go func() { stopped <- n.work(running) }()

	err := n.follow(ctx, cfg, ended)
	c, unknown := n.library.Content(cfg.Content)
	stored, unread := n.store.List()
	stop()
	if closing := <-stopped; err == nil {
		err = closing
	}
	if err == nil {
		err = unknown
	}
	nothing := unread == nil && len(stored) == 0 || c.Pieces > 0 && c.PiecesHeld == 0
	if err == nil || nothing { // there is nothing to go on from
		err = errors.Join(err, os.RemoveAll(n.cfg.Data))
	}
	return Result{
		Path: c.Path, Name: c.Name, Size: c.Size, Seconds: time.Since(n.started).Seconds(), Bytes: c.Bytes, Faults: c.Faults,
	}, err
}

// prepare has the content fetched, and nothing else: the folder may be one in
// which another content was begun.
func (n *Node) prepare(id shoal.ContentID, name string) error {
	stored, err := n.store.List()
	if err != nil {
		return err
	}
	for _, other := range stored {
		if other != id {
			return fmt.Errorf("output %s: %w: the folder %s has another content, %s, begun for it; finish that or remove the folder",
				name, shoal.ErrConflict, n.cfg.Data, other.Short())
		}
	}
	if err := n.library.Restore(); err != nil {
		return err
	}
	for _, c := range n.library.Contents() {
		if c.ID != id {
			if err := n.library.Remove(c.ID); err != nil {
				return err
			}
		}
	}
	_, err = n.library.Want(id, name, false)
	return err
}

// follow reports progress until the fetch has ended, or there was none for too long.
func (n *Node) follow(ctx context.Context, cfg GetConfig, ended <-chan error) error {
	report := func() {
		c, err := n.library.Content(cfg.Content)
		if err != nil || cfg.Progress == nil {
			return
		}
		cfg.Progress(Progress{
			Name: c.Name, Done: min(c.Size, int64(c.PiecesHeld)*int64(c.PieceLength)), Total: c.Size, Pieces: c.Pieces, PiecesHeld: c.PiecesHeld, Peers: c.Peers,
			Bytes: c.Bytes, Tracker: n.announcer.Status().Err,
		})
	}
	defer report()
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for idle := (stall{since: time.Now()}); ; {
		select {
		case err := <-ended:
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
			report()
			c, _ := n.library.Content(cfg.Content)
			if idle.look(c, n.library.Busy(cfg.Content), time.Now()); cfg.Timeout > 0 && time.Since(idle.since) >= cfg.Timeout {
				return idle.err(cfg.Timeout, n.announcer.Status().Err)
			}
		}
	}
}
