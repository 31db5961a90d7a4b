package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/shoal-cdn/shoal"
	nodeapi "github.com/shoal-cdn/shoal/node/api"
	"github.com/shoal-cdn/shoal/tracker/api"
)

const (
	startTimeout = time.Minute // until something that starts is there
	startPoll    = 100 * time.Millisecond
	stopGrace    = 10 * time.Second
	childNotice  = 300 * time.Millisecond
)

// cluster is the processes of a demo. Its methods are called from one
// goroutine, but for watch.
type cluster struct {
	ctx    context.Context // ends with the demo's, or with a childError when a process ends by itself
	cancel context.CancelCauseFunc
	exe    string
	dir    string
	env    []string // the children's

	url     string // of the tracker
	tracker *api.Client
	central *process
	origin  *member
	nodes   []*member
}

// member is a node of the cluster.
type member struct {
	name    string
	data    string // directory
	args    []string
	url     string
	api     *nodeapi.Client
	process *process // nil before it started
}

// startCluster starts all processes and waits until the tracker knows every
// node. The cluster it returns must be stopped, also with an error.
func startCluster(ctx context.Context, dir string, n int, rate shoal.Rate) (*cluster, error) {
	c := &cluster{dir: dir, env: withoutSettings(os.Environ())}
	c.ctx, c.cancel = context.WithCancelCause(ctx)
	if err := c.plan(n, rate); err != nil {
		return c, failed(demoOp, dir, err)
	}
	central, err := c.start("tracker", "tracker", "--listen", strings.TrimPrefix(c.url, "http://"), "--data", filepath.Join(dir, "tracker"))
	if err != nil {
		return c, failed(demoOp, "tracker", err)
	}
	c.central = central
	for _, m := range c.members() {
		if m.process, err = c.start(m.name, m.args...); err != nil {
			return c, failed(demoOp, m.name, err)
		}
	}
	return c, c.failed("wait for the nodes", "", c.ready())
}

// plan settles names, directories and addresses.
func (c *cluster) plan(n int, rate shoal.Rate) (err error) {
	if c.exe, err = os.Executable(); err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(c.dir, "logs"), 0o755); err != nil {
		return err
	}
	addrs, err := freeAddrs(1 + 2*(1+n))
	if err != nil {
		return err
	}
	c.url = "http://" + addrs[0]
	if c.tracker, err = api.NewClient([]string{c.url}, nil); err != nil {
		return err
	}
	for i := range 1 + n {
		m := &member{name: "origin", url: "http://" + addrs[2+2*i]}
		if i > 0 {
			m.name = fmt.Sprintf("node-%d", i)
		}
		m.data = filepath.Join(c.dir, m.name)
		m.args = []string{"node", "--name", m.name, "--tracker", c.url, "--data", m.data,
			"--listen", addrs[1+2*i], "--http", addrs[2+2*i], "--gateway", off, "--gateway-tls", off, "--up", rate.String(), "--down", rate.String()}
		if m.api, err = nodeapi.NewClient(m.url); err != nil {
			return err
		}
		if i == 0 {
			c.origin = m
		} else {
			c.nodes = append(c.nodes, m)
		}
	}
	return nil
}

// start runs a child and has its unexpected end end the cluster.
func (c *cluster) start(name string, args ...string) (*process, error) {
	p, err := startProcess(c.exe, name, filepath.Join(c.dir, "logs", name+".log"), args, c.env)
	if err != nil {
		return nil, err
	}
	go func() {
		<-p.done
		if !p.meant.Load() {
			c.cancel(&childError{p})
		}
	}()
	return p, nil
}

// ready waits until the tracker knows every node.
func (c *cluster) ready() error {
	return c.until(func() error {
		nodes, err := c.tracker.Nodes(c.ctx)
		if err != nil {
			return err
		}
		alive := 0
		for _, n := range nodes {
			if n.Alive {
				alive++
			}
		}
		if all := len(c.members()); alive < all {
			return fmt.Errorf("%d of %d have announced themselves", alive, all)
		}
		return nil
	})
}

// announced waits until the tracker knows that the origin has the content:
// only then can it tell how fast a task could be at best.
func (c *cluster) announced(id shoal.ContentID) error {
	return c.until(func() error {
		ct, err := c.tracker.Content(c.ctx, id)
		if err == nil && ct.Origins == 0 {
			err = errors.New("the tracker knows no origin")
		}
		return err
	})
}

// until repeats check until it is content; its last complaint is the error
// when that takes too long.
func (c *cluster) until(check func() error) error {
	deadline := time.After(startTimeout)
	for {
		err := check()
		if err == nil {
			return nil
		}
		select {
		case <-time.After(startPoll):
		case <-c.ctx.Done():
			return context.Cause(c.ctx)
		case <-deadline:
			return fmt.Errorf("after %s: %w", startTimeout, err)
		}
	}
}

// stop ends all processes, the tracker last so that nodes can say goodbye.
func (c *cluster) stop() {
	var wg sync.WaitGroup
	for _, m := range c.members() {
		if m.process != nil {
			wg.Go(func() { m.process.stop(stopGrace) })
		}
	}
	wg.Wait()
	if c.central != nil {
		c.central.stop(stopGrace)
	}
	c.cancel(nil)
}

func (c *cluster) members() []*member {
	if c.origin == nil {
		return nil
	}
	return append([]*member{c.origin}, c.nodes...)
}

// names are those of the nodes that are to fetch.
func (c *cluster) names() []string {
	names := make([]string, len(c.nodes))
	for i, m := range c.nodes {
		names[i] = m.name
	}
	return names
}

// failed is like the function, but a child that ended by itself is the cause
// of whatever went wrong after it.
func (c *cluster) failed(op, input string, err error) error {
	if err == nil {
		return nil
	}
	select { // a lost connection shows before the end of the process behind it
	case <-c.ctx.Done():
	case <-time.After(childNotice):
	}
	if child, ok := errors.AsType[*childError](context.Cause(c.ctx)); ok {
		return &opError{op: demoOp, cause: child, hint: "its log is " + child.process.log}
	}
	return &opError{op: demoOp + ": " + op, input: input, cause: err, hint: "the logs are in " + filepath.Join(c.dir, "logs")}
}

// invite says what can be done with the cluster while it is there.
func (c *cluster) invite(w io.Writer, id shoal.ContentID) {
	fmt.Fprintf(w, "\neverything is still running; try, in another terminal:\n")
	for _, line := range []string{
		"shoal nodes --tracker " + c.url,
		"shoal contents --tracker " + c.url,
		"shoal task list --tracker " + c.url,
		fmt.Sprintf("shoal get %s --tracker %s -o ./copy", id.Short(), c.url),
		fmt.Sprintf("shoal seed PATH --node %s", c.origin.url),
		"curl " + c.nodes[0].url + "/v1/status",
	} {
		fmt.Fprintln(w, "  "+line)
	}
	fmt.Fprintln(w, "Ctrl-C ends it")
}

// withoutSettings keeps what configures the demo from configuring its children.
func withoutSettings(environ []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(s string) bool { return strings.HasPrefix(s, envPrefix) })
}

// freeAddrs finds n loopback addresses whose ports are free for both TCP and
// UDP. They are free when it returns; nothing reserves them, but none is of those
// that systems give to outgoing connections by default.
func freeAddrs(n int) ([]string, error) {
	const first, after = 10000, 32768
	var addrs []string
	for attempts := 1; len(addrs) < n; attempts++ {
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(first+rand.IntN(after-first)))
		ln, err := net.Listen("tcp", addr)
		if err == nil {
			defer ln.Close()
			var pc net.PacketConn
			if pc, err = net.ListenPacket("udp", addr); err == nil {
				defer pc.Close()
				addrs = append(addrs, addr)
			}
		}
		if err != nil && attempts > 10*n {
			return nil, err
		}
	}
	return addrs, nil
}
