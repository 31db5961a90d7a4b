package fallback

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"

	"github.com/shoal-cdn/shoal"
)

// http3Server serves over HTTP/3 on a loopback port until the test ends.
func http3Server(t testing.TB, h http.Handler, cert tls.Certificate) (port int) {
	t.Helper()
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	s := &http3.Server{Handler: h, TLSConfig: http3.ConfigureTLSConfig(&tls.Config{Certificates: []tls.Certificate{cert}})}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = s.Serve(socket)
	}()
	t.Cleanup(func() {
		s.Close()
		socket.Close()
		<-served
	})
	return socket.LocalAddr().(*net.UDPAddr).Port
}

// With TCP refused, HTTP/3 takes over; a node's gateway has it at the same port (M7).
func TestHTTP3WhereTCPIsRefused(t *testing.T) {
	c := oneFile(t, 8<<20)
	cert, pool := certificate(t)
	o := &origin{c: c}
	port := http3Server(t, o, cert)
	p := newPieces(c.m)
	f := newFetcher(t, nil, c, p)
	add(t, f, Upstream{Name: "node", Kind: Node, URL: "https://localhost:" + strconv.Itoa(port), TLS: &tls.Config{RootCAs: pool}})
	if err := f.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.check(t, true)
	u := f.Stats().Upstreams[0]
	if u.Transport != QUIC || !strings.Contains(u.Reason, "refused") {
		t.Errorf("%+v", u)
	}
	if u.Bytes != c.m.Size() || o.sent.Load() > c.m.Size() {
		t.Errorf("received %d bytes of %d", u.Bytes, c.m.Size())
	}
}

func add(t testing.TB, f *Fetcher, u Upstream) {
	t.Helper()
	if err := f.add(u); err != nil {
		t.Fatal(err)
	}
}

// blackhole is a TCP network that swallows everything once it has carried so much.
type blackhole struct {
	addr string
	most int64
	got  atomic.Int64
	shut chan struct{}
	once sync.Once
	when time.Time    // it was shut
	lost atomic.Int64 // attempts to connect since
}

func (b *blackhole) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	select {
	case <-b.shut:
		b.lost.Add(1)
		<-ctx.Done()
		return nil, ctx.Err()
	default:
	}
	c, err := new(net.Dialer).DialContext(ctx, network, b.addr)
	return &blackholeConn{Conn: c, b: b, closed: make(chan struct{})}, err
}

type blackholeConn struct {
	net.Conn
	b      *blackhole
	closed chan struct{}
	once   sync.Once
}

func (c *blackholeConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.b.got.Add(int64(n)) > c.b.most {
		c.b.once.Do(func() { c.b.when = time.Now(); close(c.b.shut) })
	}
	select {
	case <-c.b.shut:
		<-c.closed
		return 0, net.ErrClosed
	default:
		return n, err
	}
}

func (c *blackholeConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// With TCP blocked in the middle of a transfer, HTTP/3 takes over, at the first missing byte: as soon as TCP has
// been silent for as long as it may be where there is HTTP/3, and then did not connect. The web seed offers it by
// Alt-Svc. Other silences would last for ever; what TestRouteBounds says of the bounds makes it 3 s.
func TestHTTP3WhereTCPFallsSilent(t *testing.T) {
	const connect, lanes = 200 * time.Millisecond, 3
	c := oneFile(t, 4<<20)
	cert, pool := certificate(t)
	overQUIC := &origin{c: c}
	port := http3Server(t, overQUIC, cert)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
	if err != nil {
		t.Fatal(err)
	}
	hole := &blackhole{addr: l.Addr().String(), most: 1 << 20, shut: make(chan struct{})}
	overTCP := &origin{c: c}
	defer serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Alt-Svc", `h3=":`+strconv.Itoa(port)+`"; ma=60`)
		overTCP.ServeHTTP(w, r)
	}))()
	p := newPieces(c.m)
	var log bytes.Buffer
	f, err := New(Config{
		Manifest: c.m, Pieces: p, WebSeeds: loopback,
		Log:    slog.New(slog.NewTextHandler(io.MultiWriter(t.Output(), &log), &slog.HandlerOptions{Level: slog.LevelDebug})),
		Limits: Limits{ConnectTCP: connect, StallTCP: 300 * time.Millisecond, Stall: time.Hour},
	})
	if err != nil {
		t.Fatal(err)
	}
	f.dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, connect) // as net.Dialer.Timeout
		defer cancel()
		return hole.dial(ctx, network, addr)
	}
	add(t, f, Upstream{Name: "seed", Kind: WebSeed, URL: "https://localhost/f", TLS: &tls.Config{RootCAs: pool}})
	if err := f.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	lost := hole.lost.Load()
	t.Logf("done %s after it was blocked, %d attempts to connect", time.Since(hole.when), lost)
	p.check(t, true)
	u := f.Stats().Upstreams[0]
	if u.Transport != QUIC || overQUIC.sent.Load() == 0 || !strings.HasPrefix(u.Reason, "over TCP: ") {
		t.Errorf("%+v", u)
	}
	if !strings.Contains(log.String(), "no byte for") {
		t.Error("did not take the silence for a fault: others only helped")
	}
	if most := lanes * int64(aliveFor/connect+1); lost > most {
		t.Errorf("tried to connect over TCP %d times, want %d at most", lost, most)
	}
}

// The guard holds for HTTP/3, and for a node whose guard the operator has set.
func TestHTTP3IsGuarded(t *testing.T) {
	c := oneFile(t, 1<<20)
	cert, pool := certificate(t)
	o := &origin{c: c}
	port := http3Server(t, o, cert)
	for _, tt := range []struct {
		kind  Kind
		guard *Guard
	}{{WebSeed, nil}, {Node, &Guard{Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}}} {
		p := newPieces(c.m)
		f, err := New(Config{Manifest: c.m, Pieces: p, Nodes: tt.guard})
		if err != nil {
			t.Fatal(err)
		}
		add(t, f, Upstream{Name: "u", Kind: tt.kind, URL: "https://localhost:" + strconv.Itoa(port) + "/", TLS: &tls.Config{RootCAs: pool}})
		f.sources[0].route.http3, f.sources[0].route.current = true, QUIC
		err = f.Run(t.Context())
		if !errors.Is(err, shoal.ErrInvalid) || !errors.Is(err, errRefused) || o.requests.Load() > 0 {
			t.Errorf("%s: %v, %d requests", tt.kind, err, o.requests.Load())
		}
	}
}

// Another node's certificate is no reason to try HTTP/3, and benches at once.
func TestHTTP3Untrusted(t *testing.T) {
	c := oneFile(t, 1<<20)
	cert, _ := certificate(t)
	port := http3Server(t, &origin{c: c}, cert)
	f, err := New(Config{Manifest: c.m, Pieces: newPieces(c.m)})
	if err != nil {
		t.Fatal(err)
	}
	add(t, f, Upstream{Name: "u", Kind: Node, URL: "https://localhost:" + strconv.Itoa(port)})
	f.sources[0].route.current = QUIC
	if err := f.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "connect over TLS") {
		t.Errorf("error: %v", err)
	}
}
