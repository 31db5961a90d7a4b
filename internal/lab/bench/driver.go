//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/internal/lab"
)

// member is the origin or a node: where it runs, and what is its own there.
type member struct {
	name string
	host *lab.Host
	slot int // tells the members of one host apart: their ports
	link link
}

// stage is what a driver is given for one run.
type stage struct {
	scenario scenario
	dir      string    // of the run: a folder for each member is made in it, and logs
	tracker  *lab.Host // without limits; what runs there costs nobody anything
	contents []content
	shoal    string     // path of the binary
	piece    shoal.Size // of .torrent files; 0: as large as suits the content
}

// tool is a program that distributes files.
type tool struct {
	name string
	// version says which version is installed. An error says what is missing.
	version func(ctx context.Context) (string, error)
	open    func(stage) (driver, error)
}

// A driver runs one tool for one run of a scenario. All processes are started
// on hosts of the lab, and end with it. Its methods may be called concurrently,
// for different members.
type driver interface {
	// startOrigin starts the member that has the originals, and returns when others
	// can fetch them from it. It is called first, and once.
	startOrigin(ctx context.Context, m member) error

	// startNode starts a member that has nothing, and fetches nothing yet. It returns
	// when the member can be given orders.
	startNode(ctx context.Context, m member) error

	// fetch has these members get all contents. It returns when they know.
	fetch(ctx context.Context, ms []member) error

	// marker is the file that appears when a member has a content and the tool has
	// checked it, as far as it does.
	marker(m member, c content) string

	// output is where a member's copy is then.
	output(m member, c content) string

	// processes are those that were started for a member.
	processes(m member) []*lab.Process

	// close ends what the driver runs within this process.
	close() error
}

// tools are all that can be compared, in the order of tables.
func tools() []tool {
	return []tool{
		{"shoal", shoalVersion, openShoal},
		{"aria2", firstLine("aria2", "aria2c", "--version"), openAria2},
		{"libtorrent", firstLine("python3-libtorrent", python, "-c", "import libtorrent; print(libtorrent.__version__)"), openLibtorrent},
		{"transmission", firstLine("transmission-daemon", "transmission-daemon", "--version"), openTransmission},
		{"http", webVersion, openHTTP},
		{"https", webVersion, openHTTPS},
		{"curl-cubic", webVersion, openCurl("cubic")},
		{"curl-bbr", webVersion, openCurl("bbr")},
		{"udt", udtVersion, openUDT},
	}
}

// crew is what drivers have in common: the processes of each member, and where
// its files are unless the tool wants them elsewhere.
type crew struct {
	stage
	mu      sync.Mutex // guards started
	started map[string][]*lab.Process
}

func newCrew(s stage) *crew { return &crew{stage: s, started: make(map[string][]*lab.Process)} }

func (c *crew) home(m member) string { return filepath.Join(c.dir, m.name) }

// folder is where a member's copy of a content goes.
func (c *crew) folder(m member, ct content) string {
	return filepath.Join(c.home(m), strconv.Itoa(ct.index))
}

func (c *crew) output(m member, ct content) string { return filepath.Join(c.folder(m, ct), ct.name) }
func (c *crew) marker(m member, ct content) string { return c.folder(m, ct) + ".done" }
func (c *crew) close() error                       { return nil }

// makeHome makes the member's folder and one for each content.
func (c *crew) makeHome(m member) error {
	for _, ct := range c.contents {
		if err := os.MkdirAll(c.folder(m, ct), 0o755); err != nil {
			return err
		}
	}
	return nil
}

func (c *crew) start(m member, command ...string) (*lab.Process, error) {
	p, err := m.host.Start(lab.ProcessConfig{Name: m.name, Command: command, Log: filepath.Join(c.dir, m.name+".log")})
	if err != nil {
		return nil, err
	}
	c.add(m, p)
	return p, nil
}

func (c *crew) add(m member, p *lab.Process) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.started[m.name] = append(c.started[m.name], p)
}

func (c *crew) processes(m member) []*lab.Process {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.started[m.name]
}

const (
	lookEvery     = 20 * time.Millisecond
	startPatience = 30 * time.Second
)

// until looks again and again until ready is true or fails, the process, if not
// nil, ends, or too much time has passed.
func until(ctx context.Context, what string, p *lab.Process, ready func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	var ended <-chan struct{}
	if p != nil {
		ended = p.Done()
	}
	for {
		ok, err := ready(ctx)
		if ok && err == nil {
			return nil
		}
		select {
		case <-ended:
			tail, _ := p.LogTail(10)
			return fmt.Errorf("%s: %s ended: %w: %s", what, p.Name(), p.Err(), tail)
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, errors.Join(ctx.Err(), err))
		case <-time.After(lookEvery):
		}
	}
}

func exists(path string) (bool, error) {
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
