package tracker

import (
	"context"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// memListener is a listener without a network, so that a whole tracker and
// its clients run on virtual time (synctest).
type memListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newMemListener() *memListener {
	return &memListener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *memListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *memListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *memListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

func (l *memListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case l.conns <- there:
		return here, nil
	case <-l.closed:
	case <-ctx.Done():
	}
	return nil, &net.OpError{Op: "dial", Net: "mem", Err: net.ErrClosed}
}

// fixture is a tracker that serves clients within a synctest bubble.
type fixture struct {
	*testing.T
	tracker *Tracker
	client  *api.Client
	hc      *http.Client
	stop    func()
}

// serve starts a tracker on dir. The caller stops it, within the bubble.
func serve(t *testing.T, dir string) *fixture {
	t.Helper()
	tr, err := New(Config{Data: dir})
	if err != nil {
		t.Fatal(err)
	}
	ln := newMemListener()
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- tr.Serve(ctx, ln) }()
	hc := &http.Client{Transport: &http.Transport{DialContext: ln.dial}}
	client, err := api.NewClient([]string{"http://tracker"}, hc)
	if err != nil {
		t.Fatal(err)
	}
	return &fixture{T: t, tracker: tr, client: client, hc: hc, stop: sync.OnceFunc(func() {
		hc.CloseIdleConnections()
		cancel()
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
		if err := tr.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})}
}

// bubble runs f with a tracker on virtual time.
func bubble(t *testing.T, f func(*testing.T, *fixture)) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		fx := serve(t, dir)
		defer fx.stop()
		f(t, fx)
	})
}

// node is a node as the tracker sees it.
type node struct {
	*fixture
	a api.Announce
}

func (f *fixture) node(name string) *node {
	return &node{fixture: f, a: api.Announce{
		Session: "s1", Full: true,
		Node: api.NodeInfo{ID: shoal.NodeID("id" + name), Name: name, Addrs: []string{"/ip4/10.0.0.1/tcp/4001"}, Up: 1e6, Down: 1e6},
	}}
}

// say announces once and waits for the answer for up to wait.
func (n *node) say(wait time.Duration) api.Reply {
	n.Helper()
	n.a.Seq++
	n.a.Wait = wait.Seconds()
	r, err := n.client.Announce(n.Context(), n.a)
	if err != nil {
		n.Fatalf("%s: %v", n.a.Node.Name, err)
	}
	if !r.Resync {
		n.a.Cursor, n.a.Full, n.a.Holdings, n.a.SubTasks = r.Cursor, false, nil, nil
	}
	return r
}

// report announces a sub-task's state.
func (n *node) report(task string, s api.State) api.Reply {
	n.Helper()
	n.a.SubTasks = []api.SubTaskReport{{Task: task, State: s}}
	return n.say(0)
}
