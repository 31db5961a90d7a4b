package gateway

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shoal-cdn/shoal/node/store/storetest"
)

func TestTooManyRequests(t *testing.T) {
	s := storetest.SampleFile(t, "film.mp4", fileSize)
	synctest.Test(t, func(t *testing.T) {
		f := arriving(t, s)
		g := New(Config{Library: f, requests: 5, requestsPerClient: 2})
		var busy sync.WaitGroup
		defer busy.Wait()
		get := func(from string) int {
			r := httptest.NewRequestWithContext(t.Context(), "GET", f.url(0), nil)
			r.RemoteAddr = from
			got := serve(t, g, r)
			if got.StatusCode == 503 && got.Header.Get("Retry-After") == "" {
				t.Error("503 without Retry-After")
			}
			return got.StatusCode
		}
		hold := func(from string) { // until the content arrives
			busy.Go(func() {
				if status := get(from); status != 200 {
					t.Errorf("%s: status %d", from, status)
				}
			})
			synctest.Wait()
		}
		hold("192.0.2.1:1")
		hold("192.0.2.1:2")
		if status := get("192.0.2.1:3"); status != 503 {
			t.Errorf("the third of one client: status %d", status)
		}
		hold("[2001:db8::1]:1")
		hold("[2001:db8::2]:1")
		if status := get("[2001:db8:0:0:ffff::3]:1"); status != 503 {
			t.Errorf("the third of one IPv6 network: status %d", status)
		}
		hold("127.0.0.1:1")
		if status := get("127.0.0.1:2"); status != 503 {
			t.Errorf("the sixth in all: status %d", status)
		}
		if st := g.Stats(); st.Requests != 5 || st.Refused != 3 {
			t.Errorf("stats: %+v", st)
		}
		for i := range f.M.NumPieces() {
			f.arrive(i)
		}
		busy.Wait()
		for range 4 { // one after the other
			if status := get("192.0.2.1:1"); status != 200 {
				t.Errorf("afterwards: status %d", status)
			}
		}
		for range 5 { // a proxy on the same machine is no client
			hold("127.0.0.1:1")
		}
		if st := g.Stats(); st.Requests != 0 || len(g.admission.clients) != 0 {
			t.Errorf("stats: %+v, clients %v", st, g.admission.clients)
		}
	})
}

// All transfers together keep to the rate, and share it.
func TestEgress(t *testing.T) {
	s := storetest.SampleFile(t, "film.mp4", 1<<20)
	synctest.Test(t, func(t *testing.T) {
		f := published(t, s)
		g := New(Config{Library: f, Egress: 256 << 10})
		begin := time.Now()
		var ends [4]time.Duration
		var all sync.WaitGroup
		for i := range ends {
			all.Go(func() {
				if got := do(t, g, "GET", f.url(0)); len(got.body) != 1<<20 {
					t.Errorf("%d bytes", len(got.body))
				}
				ends[i] = time.Since(begin)
			})
		}
		all.Wait()
		for _, end := range ends {
			if end < 15*time.Second || end > 16*time.Second {
				t.Errorf("4 MiB at 256 KiB/s: done after %v", ends)
			}
		}
		if g.Stats().Bytes != 4<<20 {
			t.Errorf("counted %+v", g.Stats())
		}
	})
}

// pipes is a network in memory: of net.Pipe, which has no buffers.
type pipes struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

// dial sends a request and returns the connection, from which the test reads the answer.
func (p *pipes) dial(t *testing.T, url string) net.Conn {
	t.Helper()
	client, server := net.Pipe()
	p.conns <- server
	if _, err := io.WriteString(client, "GET "+url+" HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	return client
}

// inMemory runs a test against a server in virtual time.
func inMemory(t *testing.T, make func(testing.TB, storetest.Sample) *fake, size int, test func(*testing.T, *fake, *pipes)) {
	t.Helper()
	s := storetest.SampleFile(t, "film.mp4", size)
	synctest.Test(t, func(t *testing.T) {
		f := make(t, s)
		l := newPipes()
		srv := &http.Server{Handler: New(Config{Library: f})}
		go srv.Serve(l)
		test(t, f, l)
		srv.Close()
		synctest.Wait()
		if n := f.open(); n != 0 {
			t.Errorf("%d handles left open", n)
		}
	})
}

// A client that takes next to nothing is cut off; a slow one is not.
func TestSlowReaders(t *testing.T) {
	for _, c := range []struct {
		name     string
		rate     int // bytes a second that the client takes
		complete bool
	}{
		{"takes nothing", 0, false},
		{"takes a byte a second", 1, false},
		{"takes 2 KiB a second", 2 << 10, false},
		{"takes 20 KiB a second", 20 << 10, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			inMemory(t, published, 1<<20, func(t *testing.T, f *fake, l *pipes) {
				conn := l.dial(t, f.url(0))
				defer conn.Close()
				begin, got := time.Now(), 0
				buf := make([]byte, max(c.rate, 1))
				var err error
				for err == nil && time.Since(begin) < 5*time.Minute && got < 1<<20 {
					time.Sleep(time.Second)
					if c.rate > 0 {
						var n int
						n, err = conn.Read(buf)
						got += n
					}
				}
				synctest.Wait()
				if complete := got >= 1<<20; complete != c.complete {
					t.Errorf("%d bytes after %v: %v", got, time.Since(begin), err)
				}
				if !c.complete && f.open() != 0 {
					t.Error("still being served")
				}
			})
		})
	}
}

// A .torrent file's place is given back in bounded time, however steadily its
// client takes a little.
func TestSlowTorrent(t *testing.T) {
	s := storetest.SampleFile(t, "film.mp4", 1<<20)
	synctest.Test(t, func(t *testing.T) {
		f := published(t, s)
		g := New(Config{Library: f})
		g.chunkTime = func(int) time.Duration { return time.Hour }
		l := newPipes()
		srv := &http.Server{Handler: g}
		go srv.Serve(l)
		conn := l.dial(t, prefix+f.M.ID().String()+"/torrent")
		defer conn.Close()
		begin := time.Now()
		var one [1]byte
		var err error
		for err == nil && time.Since(begin) < 5*time.Minute {
			time.Sleep(time.Second)
			_, err = conn.Read(one[:])
		}
		if took := time.Since(begin); err == nil || took > torrentTime(len(f.M.Torrent()))+2*time.Second {
			t.Errorf("%d bytes, a byte a second: %v after %v", len(f.M.Torrent()), err, took)
		}
		srv.Close()
		synctest.Wait()
		if n := g.torrents.underWay(); n != 0 {
			t.Errorf("%d places taken", n)
		}
	})
}

// A client that goes away ends the wait for its pieces.
func TestClientGoesAway(t *testing.T) {
	inMemory(t, arriving, fileSize, func(t *testing.T, f *fake, l *pipes) {
		f.arrive(0)
		conn := l.dial(t, f.url(0))
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || resp.StatusCode != 200 {
			t.Fatal(resp, err)
		}
		if _, err := io.CopyN(io.Discard, resp.Body, storetest.PieceLength); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n := f.open(); n != 1 {
			t.Fatalf("%d handles open while it waits", n)
		}
		conn.Close()
		synctest.Wait()
		if n := f.open(); n != 0 {
			t.Error("still waiting")
		}
	})
}

// A body, which would have to be read at the client's pace, is refused.
func TestBody(t *testing.T) {
	inMemory(t, published, fileSize, func(t *testing.T, f *fake, l *pipes) {
		client, server := net.Pipe()
		defer client.Close()
		l.conns <- server
		if _, err := io.WriteString(client, "GET "+f.url(0)+" HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		resp, err := http.ReadResponse(bufio.NewReader(client), nil)
		if err != nil || resp.StatusCode != 400 {
			t.Fatal(resp, err)
		}
		if _, err := io.Copy(io.Discard, client); err != nil || time.Since(begin) > time.Minute {
			t.Errorf("open for %v, %v", time.Since(begin), err)
		}
	})
}

// One client cannot take all connections; a proxy on the same machine is none.
func TestConnectionsOfOneClient(t *testing.T) {
	l := newConnLimit()
	for i := range maxConnsEach {
		if _, ok := l.enter("192.0.2.1:1"); !ok {
			t.Fatalf("refused number %d", i)
		}
	}
	if _, ok := l.enter("192.0.2.1:2"); ok {
		t.Error("one too many of a client")
	}
	if !l.crowded("192.0.2.1:2") || l.crowded("192.0.2.2:1") {
		t.Error("crowded: not the client that is")
	}
	for range 2 * maxConnsEach {
		if _, ok := l.enter("127.0.0.1:1"); !ok {
			t.Fatal("refused a proxy")
		}
	}
}
