package fallback

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"testing"
	"time"
)

// A fetch that is cut off leaves no connection.
func TestCancelledFetchIsOverForTheServer(t *testing.T) {
	c := oneFile(t, 4*firstRange)
	g := newGatewayServer(t, c, 5*time.Millisecond)
	for range 5 {
		f, err := New(Config{Manifest: c.m, Pieces: newPieces(c.m), Upstreams: []Upstream{g.upstream()}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- f.Run(ctx) }()
		eventually(t, "nothing comes", func() bool { return f.sources[0].bytes.Load() > 0 })
		cancel()
		<-ended
	}
	g.allClosed(t)
}

// A link that ends takes its connection with it, whatever was under way on that just now.
func TestLinkClose(t *testing.T) {
	c := oneFile(t, 4*firstRange)
	g := newGatewayServer(t, c, time.Millisecond)
	base, err := url.Parse(g.URL)
	if err != nil {
		t.Fatal(err)
	}
	src := newSource(g.upstream(), base, nil)
	const n = 20
	for range n {
		l := open(src, how{transport: TCP, http2: true, connect: 5 * time.Second}, nil)
		ctx, cancel := context.WithCancel(t.Context())
		resp, err := l.client.Do((&http.Request{Method: http.MethodGet, URL: fileURL(Node, base, c.m, 0)}).WithContext(ctx))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(resp.Body, make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
		cancel()
		resp.Body.Close()
		l.close()
	}
	g.allClosed(t)
	if got := g.connections.Load(); got != n {
		t.Errorf("%d connections of %d links", got, n)
	}
}

// A connection that is made after its link has ended is closed.
func TestSocketsAfterClose(t *testing.T) {
	var s sockets
	client, server := net.Pipe()
	dial := s.dial(func(context.Context, string, string) (net.Conn, error) { return client, nil })
	s.close()
	if _, err := dial(t.Context(), "tcp", ""); !errors.Is(err, net.ErrClosed) {
		t.Errorf("dial: %v", err)
	}
	if _, err := server.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the connection is open: %v", err)
	}
}
