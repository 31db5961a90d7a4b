package fallback

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
)

const pieceLength = 64 << 10

var loopback = Guard{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}}

// content is a file or folder and its manifest.
type content struct {
	m     *shoal.Manifest
	bytes map[string][]byte // by path
}

func newContent(t testing.TB, files map[string]int, length int) content {
	t.Helper()
	c := content{bytes: map[string][]byte{}}
	dir := filepath.Join(t.TempDir(), "content")
	rng := rand.NewChaCha8([32]byte{1})
	for path, size := range files {
		data := make([]byte, size)
		_, _ = rng.Read(data)
		c.bytes[path] = data
		full := filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, data, 0o644); err != nil {
			t.Fatal(err)
		}
		if len(files) == 1 && filepath.Dir(path) == "." {
			dir = full
		}
	}
	var err error
	if c.m, err = shoal.BuildManifest(t.Context(), dir, shoal.BuildOptions{PieceLength: length}); err != nil {
		t.Fatal(err)
	}
	return c
}

func oneFile(t testing.TB, size int) content {
	return newContent(t, map[string]int{"file.bin": size}, pieceLength)
}

// pieces is a Pieces in memory.
type pieces struct {
	m *shoal.Manifest

	mu      sync.Mutex
	claimed map[int]bool
	stored  map[int]bool
	twice   int   // pieces delivered again
	fail    error // of Deliver
}

func newPieces(m *shoal.Manifest) *pieces {
	return &pieces{m: m, claimed: map[int]bool{}, stored: map[int]bool{}}
}

func (p *pieces) Claim(_ context.Context, most int64) (first, count int, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for first < p.m.NumPieces() && (p.claimed[first] || p.stored[first]) {
		first++
	}
	if first == p.m.NumPieces() {
		return 0, 0, false
	}
	file, _ := p.m.Locate(first)
	for i := first; i < p.m.NumPieces() && !p.claimed[i] && !p.stored[i]; i++ {
		most -= int64(p.m.PieceSize(i))
		if f, _ := p.m.Locate(i); f != file || most < 0 && i > first {
			break
		}
		p.claimed[i] = true
		count++
	}
	return first, count, true
}

func (p *pieces) Deliver(_ context.Context, piece int, data []byte) error {
	if !p.m.VerifyPiece(piece, data) {
		return fmt.Errorf("piece %d: %w", piece, shoal.ErrCorrupt)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fail != nil {
		return p.fail
	}
	if !p.claimed[piece] {
		p.twice++
	}
	delete(p.claimed, piece)
	p.stored[piece] = true
	return nil
}

func (p *pieces) Release(first, count int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := first; i < first+count; i++ {
		delete(p.claimed, i)
	}
}

// check fails the test unless all is stored (or, if not all, nothing is claimed).
func (p *pieces) check(t testing.TB, all bool) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.claimed) > 0 {
		t.Errorf("still claimed: %d pieces", len(p.claimed))
	}
	if p.twice > 0 {
		t.Errorf("delivered without a claim: %d", p.twice)
	}
	if all != (len(p.stored) == p.m.NumPieces()) {
		t.Errorf("stored %d of %d pieces", len(p.stored), p.m.NumPieces())
	}
}

// origin serves a content's only file correctly and counts what it sends.
type origin struct {
	c        content
	sent     atomic.Int64
	requests atomic.Int64
	pause    time.Duration // after each 16 KiB
}

func (o *origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.requests.Add(1)
	for _, data := range o.c.bytes {
		http.ServeContent(&countingWriter{ResponseWriter: w, o: o}, r, "", time.Time{}, bytes.NewReader(data))
		return
	}
}

type countingWriter struct {
	http.ResponseWriter
	o *origin
}

func (w *countingWriter) Write(p []byte) (n int, err error) {
	for len(p) > 0 && err == nil {
		part := p[:min(len(p), 16<<10)]
		var k int
		k, err = w.ResponseWriter.Write(part)
		n, p = n+k, p[k:]
		w.o.sent.Add(int64(k))
		if w.o.pause > 0 {
			_ = http.NewResponseController(w.ResponseWriter).Flush()
			time.Sleep(w.o.pause)
		}
	}
	return n, err
}

// memnet is a network of pipes: whatever happens on it takes virtual time.
type memnet struct {
	mu    sync.Mutex
	hosts map[string]chan net.Conn
	dials int
}

func newMemnet() *memnet { return &memnet{hosts: map[string]chan net.Conn{}} }

func (n *memnet) dial(ctx context.Context, _, addr string) (net.Conn, error) {
	n.mu.Lock()
	host, ok := n.hosts[addr]
	n.dials++
	n.mu.Unlock()
	if !ok {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: fmt.Errorf("no host %s", addr)}
	}
	client, server := net.Pipe()
	select {
	case host <- server:
		return client, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// listen makes a host; close it to end it.
func (n *memnet) listen(addr string) net.Listener {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := &memListener{accept: make(chan net.Conn), closed: make(chan struct{})}
	n.hosts[addr] = l.accept
	return l
}

type memListener struct {
	accept chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *memListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.accept:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *memListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *memListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1)} }

// serve runs a handler on a host until stop returns: then no call of it is left.
func (n *memnet) serve(addr string, h http.Handler) (stop func()) {
	return serve(n.listen(addr), h)
}

func serve(l net.Listener, h http.Handler) (stop func()) {
	var handlers sync.WaitGroup
	s := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			handlers.Add(1)
			defer handlers.Done()
			h.ServeHTTP(w, r)
		}),
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	go func() { _ = s.Serve(l) }()
	return func() {
		s.Close()
		handlers.Wait()
	}
}
