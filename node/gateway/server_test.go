package gateway

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/internal/nodecert"
	"github.com/shoal-cdn/shoal/node/store/storetest"
	"github.com/shoal-cdn/shoal/swarm/transport"
)

// gatewayOn is a gateway on loopback, and the ID of its node.
type gatewayOn struct {
	*Server
	id   shoal.NodeID
	stop func() error // returns what Serve does
}

func startServer(t *testing.T, h http.Handler) gatewayOn {
	t.Helper()
	key, err := transport.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	id, err := transport.NodeIDOf(key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := nodecert.SelfSigned(key)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Listen(t.Context(), ServerConfig{Handler: h, Plain: "127.0.0.1:0", TLS: "127.0.0.1:0", Certificates: []tls.Certificate{cert}})
	if err != nil {
		t.Fatal(err)
	}
	s.grace = 100 * time.Millisecond
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	g := gatewayOn{s, id, func() error {
		cancel()
		err := <-done
		done <- err // for whoever asks again
		return err
	}}
	t.Cleanup(func() { _ = g.stop() })
	return g
}

// protocols are the ways to talk to a gateway.
var protocols = []struct {
	name   string // as in http.Response.Proto
	secure bool
	client func(*tls.Config) http.RoundTripper
}{
	{"HTTP/1.1", false, func(*tls.Config) http.RoundTripper { return &http.Transport{} }},
	{"HTTP/1.1", true, func(c *tls.Config) http.RoundTripper { return &http.Transport{TLSClientConfig: c} }},
	{"HTTP/2.0", true, func(c *tls.Config) http.RoundTripper {
		return &http.Transport{TLSClientConfig: c, ForceAttemptHTTP2: true}
	}},
	{"HTTP/3.0", true, func(c *tls.Config) http.RoundTripper { return &http3.Transport{TLSClientConfig: c} }},
}

// forProtocols runs a test over each protocol, with a client that pins the node.
func (g gatewayOn) forProtocols(t *testing.T, test func(t *testing.T, c *http.Client, base, proto string)) {
	for _, p := range protocols {
		name, base := p.name, "http://"+g.PlainAddr().String()
		if p.secure {
			name, base = name+" over TLS", "https://"+g.TLSAddr().String()
		}
		t.Run(name, func(t *testing.T) {
			rt := p.client(nodecert.PinNode(g.id))
			defer closeIdle(rt)
			test(t, &http.Client{Transport: rt}, base, p.name)
		})
	}
}

func closeIdle(rt http.RoundTripper) {
	switch rt := rt.(type) {
	case *http3.Transport:
		_ = rt.Close()
	case *http.Transport:
		rt.CloseIdleConnections()
	}
}

func fetch(ctx context.Context, c *http.Client, url string, header ...string) (*http.Response, []byte, error) {
	r, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		return nil, nil, err
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := c.Do(r)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp, body, err
}

// One content over each protocol, in each way that it can be here (B5).
func TestProtocols(t *testing.T) {
	s := storetest.SampleFile(t, "film.mp4", 5*chunkSize+77)
	for name, make := range kinds {
		t.Run(name, func(t *testing.T) {
			f := make(t, s)
			g := startServer(t, New(Config{Library: f}))
			want := f.bytes(0)
			g.forProtocols(t, func(t *testing.T, c *http.Client, base, proto string) {
				resp, body, err := fetch(t.Context(), c, base+f.url(0))
				if err != nil || resp.Proto != proto || !bytes.Equal(body, want) || resp.ContentLength != int64(len(want)) {
					t.Fatalf("%v, %d bytes, %v", resp, len(body), err)
				}
				if alt := resp.Header.Get("Alt-Svc"); proto != "HTTP/3.0" && strings.HasPrefix(base, "https") != (alt == fmt.Sprintf(`h3=":%d"; ma=3600`, g.TLSAddr().Port())) {
					t.Errorf("Alt-Svc %q", alt)
				}
				resp, body, err = fetch(t.Context(), c, base+f.url(0), "Range", "bytes=70000-600000")
				if err != nil || resp.StatusCode != 206 || !bytes.Equal(body, want[70000:600001]) {
					t.Errorf("range: %v, %d bytes, %v", resp, len(body), err)
				}
				resp, body, err = fetch(t.Context(), c, base+f.url(0), "Range", "bytes=5-9,600000-600009")
				if err != nil || resp.StatusCode != 206 || !bytes.Contains(body, want[600000:600010]) {
					t.Errorf("two ranges: %v, %d bytes, %v", resp, len(body), err)
				}
				if resp, body, err = fetch(t.Context(), c, base+f.url(0), "If-None-Match", etag(f.M, 0)); err != nil || resp.StatusCode != 304 {
					t.Errorf("unchanged: %v, %s, %v", resp, body, err)
				}
				if resp, body, err = fetch(t.Context(), c, base+prefix+"nothing"); err != nil || resp.StatusCode != 404 {
					t.Errorf("unknown: %v, %s, %v", resp, body, err)
				}
				head, err := http.NewRequestWithContext(t.Context(), "HEAD", base+f.url(0), nil)
				if err != nil {
					t.Fatal(err)
				}
				if resp, err = c.Do(head); err != nil || resp.ContentLength != int64(len(want)) {
					t.Errorf("HEAD: %v, %v", resp, err)
				}
			})
		})
	}
}

// Over every protocol, who goes away ends the wait; and a content that fails in the
// middle leaves an error, not a short file.
func TestEndsInTheMiddle(t *testing.T) {
	s := storetest.SampleFile(t, "film.mp4", fileSize)
	f := arriving(t, s)
	f.arrive(0)
	g := startServer(t, New(Config{Library: f}))
	g.forProtocols(t, func(t *testing.T, c *http.Client, base, _ string) {
		ctx, cancel := context.WithCancel(t.Context())
		r, err := http.NewRequestWithContext(ctx, "GET", base+f.url(0), nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if _, err := io.CopyN(io.Discard, resp.Body, storetest.PieceLength); err != nil {
			t.Fatalf("the piece that is here: %v", err)
		}
		cancel()
		eventually(t, "the wait ends", func() bool { return f.open() == 0 })
	})
	f.fail(errors.New("disk full"))
	g.forProtocols(t, func(t *testing.T, c *http.Client, base, _ string) {
		if resp, body, err := fetch(t.Context(), c, base+f.url(0)); err == nil {
			t.Errorf("%v, %d bytes", resp, len(body))
		}
	})
}

// Over every protocol, who takes nothing is cut off.
func TestStalledClient(t *testing.T) {
	s := storetest.SampleFile(t, "film.mp4", 48<<20) // more than all buffers on the way
	for name, make := range kinds {
		t.Run(name, func(t *testing.T) {
			f := make(t, s)
			g := New(Config{Library: f})
			g.chunkTime = func(int) time.Duration { return 100 * time.Millisecond }
			startServer(t, g).forProtocols(t, func(t *testing.T, c *http.Client, base, proto string) {
				if proto == "HTTP/1.1" && strings.HasPrefix(base, "https") {
					return // the same, but that crypto/tls tries to say goodbye for 5 s
				}
				resp, err := c.Get(base + f.url(0))
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				eventually(t, "it is cut off", func() bool { return f.open() == 0 })
				if _, err := io.Copy(io.Discard, resp.Body); err == nil {
					t.Error("all of it was sent")
				}
			})
		})
	}
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in a minute: %s", what)
		}
	}
}

func TestAnotherNodeIsRefused(t *testing.T) {
	f := published(t, storetest.SampleFile(t, "film.mp4", fileSize))
	g := startServer(t, New(Config{Library: f}))
	g.id = startServer(t, New(Config{Library: f})).id
	g.forProtocols(t, func(t *testing.T, c *http.Client, base, _ string) {
		if !strings.HasPrefix(base, "https") {
			return
		}
		if resp, _, err := fetch(t.Context(), c, base+f.url(0)); !errors.Is(err, shoal.ErrCorrupt) {
			t.Errorf("%v, %v", resp, err)
		}
	})
}

// Stopping takes bounded time, whatever clients do.
func TestStop(t *testing.T) {
	f := arriving(t, storetest.SampleFile(t, "film.mp4", fileSize))
	f.arrive(0)
	g := startServer(t, New(Config{Library: f}))
	g.forProtocols(t, func(t *testing.T, c *http.Client, base, _ string) {
		resp, err := c.Get(base + f.url(0)) // whose body is read after the test's end, if at all
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { resp.Body.Close() })
	})
	begin := time.Now()
	if err := g.stop(); err != nil || time.Since(begin) > 20*time.Second {
		t.Errorf("stopped after %v: %v", time.Since(begin), err)
	}
	eventually(t, "requests end", func() bool { return f.open() == 0 })
	for _, addr := range []string{g.PlainAddr().String(), g.TLSAddr().String()} {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			t.Errorf("%s still listens", addr)
		}
	}
}

func TestListen(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	busy := taken.Addr().String()
	for name, c := range map[string]struct {
		cfg  ServerConfig
		kind error
	}{
		"no address":     {ServerConfig{}, shoal.ErrInvalid},
		"no certificate": {ServerConfig{TLS: "127.0.0.1:0"}, shoal.ErrInvalid},
		"taken":          {ServerConfig{Plain: busy}, nil},
		"second taken":   {ServerConfig{Plain: "127.0.0.1:0", TLS: busy, Certificates: []tls.Certificate{{Certificate: [][]byte{{1}}}}}, nil},
		"no port":        {ServerConfig{Plain: "127.0.0.1"}, nil},
	} {
		if s, err := Listen(t.Context(), c.cfg); err == nil || c.kind != nil && !errors.Is(err, c.kind) {
			t.Errorf("%s: %v, %v", name, s, err)
		}
	}
}

// A server that was never served gives its addresses back.
func TestClose(t *testing.T) {
	f := published(t, storetest.SampleFile(t, "film.mp4", fileSize))
	cfg := ServerConfig{Handler: New(Config{Library: f}), Plain: "127.0.0.1:0", TLS: "127.0.0.1:0", Certificates: []tls.Certificate{{Certificate: [][]byte{{1}}}}}
	for range 2 {
		s, err := Listen(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		cfg.Plain, cfg.TLS = s.PlainAddr().String(), s.TLSAddr().String()
		for range 2 {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// Connections above the bound are closed at once, and closed ones make room.
func TestConnectionLimit(t *testing.T) {
	f := published(t, storetest.SampleFile(t, "film.mp4", fileSize))
	g := startServer(t, New(Config{Library: f}))
	url := "http://" + g.PlainAddr().String() + f.url(0)
	g.conns.mu.Lock()
	g.conns.total += maxConns - 1
	g.conns.mu.Unlock()
	one, two := &http.Transport{}, &http.Transport{}
	if _, _, err := fetch(t.Context(), &http.Client{Transport: one}, url); err != nil {
		t.Fatal(err)
	}
	if resp, _, err := fetch(t.Context(), &http.Client{Transport: two}, url); err == nil {
		t.Fatalf("one too many: %v", resp)
	}
	h3 := &http3.Transport{TLSClientConfig: nodecert.PinNode(g.id)}
	defer h3.Close()
	if resp, _, err := fetch(t.Context(), &http.Client{Transport: h3}, "https://"+g.TLSAddr().String()+f.url(0)); err == nil {
		t.Fatalf("one too many over QUIC: %v", resp)
	}
	one.CloseIdleConnections()
	eventually(t, "there is room again", func() bool {
		_, _, err := fetch(t.Context(), &http.Client{Transport: two}, url)
		return err == nil
	})
	two.CloseIdleConnections()
}
