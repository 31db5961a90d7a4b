package transport

import (
	"bytes"
	"io"
	"net"
	"slices"
	"testing"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	p2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
)

// record is a TLS record with a body of n bytes (RFC 8446 §5.1).
func record(n int) []byte {
	return append([]byte{23, 3, 3, byte(n >> 8), byte(n)}, make([]byte, n)...)
}

func TestReadsWaitForTheRestOfARecord(t *testing.T) {
	const long, short = 16401, 40
	wire := slices.Concat(record(long), record(short), record(0), record(long))
	for name, tt := range map[string]struct {
		read []int // bytes at a time
		room int
		want int
	}{
		"at the start":                     {nil, 1 << 15, 1},
		"the header is not complete":       {[]int{4}, 1 << 15, 1},
		"the header came in parts":         {[]int{1, 3, 1}, 1 << 15, long},
		"some of the body":                 {[]int{1448}, 1 << 15, long - 1448 + recordHeader},
		"there is less room":               {[]int{1448}, 8 << 10, 8 << 10},
		"the rest is not worth it":         {[]int{long}, 1 << 15, 1},
		"between two":                      {[]int{long + recordHeader}, 1 << 15, 1},
		"a short one":                      {[]int{long + recordHeader + 20}, 1 << 15, 1},
		"in the last one, all in one read": {[]int{len(wire) - 5000}, 1 << 15, 5000},
		"at the end":                       {[]int{1000, len(wire) - 1000}, 1 << 15, 1},
	} {
		t.Run(name, func(t *testing.T) {
			c := newRecordConn(nil)
			rest := wire
			for _, n := range tt.read {
				c.follow(rest[:n])
				rest = rest[n:]
			}
			if got := c.wanted(tt.room); got != tt.want {
				t.Errorf("waits for %d bytes, want %d", got, tt.want)
			}
		})
	}
}

// counted counts the calls that reach a socket.
type counted struct {
	*net.TCPConn
	reads, writes int
}

func (c *counted) Read(p []byte) (int, error) { c.reads++; return c.TCPConn.Read(p) }

func (c *counted) Write(p []byte) (int, error) { c.writes++; return c.TCPConn.Write(p) }

func tcpPair(t *testing.T) (a, b *counted) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	out, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	in, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { out.Close(); in.Close() })
	return &counted{TCPConn: out.(*net.TCPConn)}, &counted{TCPConn: in.(*net.TCPConn)}
}

func TestReaderSleepsUntilARecordIsComplete(t *testing.T) {
	if !lowWaterMark {
		t.Skip("this system has no low-water mark")
	}
	from, to := tcpPair(t)
	c := newRecordConn(to)
	sent := slices.Concat(record(16384), record(30))
	started := make(chan struct{})
	go func() {
		_, _ = from.Write(sent[:1448])
		<-started
		for part := range slices.Chunk(sent[1448:], 100) {
			_, _ = from.Write(part)
		}
	}()
	got := make([]byte, 1448)
	if _, err := io.ReadFull(c, got); err != nil {
		t.Fatal(err)
	}
	close(started)
	rest := make([]byte, len(sent)-1448)
	to.reads = 0
	if _, err := io.ReadFull(c, rest); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(append(got, rest...), sent) {
		t.Error("other bytes came")
	}
	// One that finds some of it there already, one for the rest, one for what
	// follows, which comes in parts: without the mark there are dozens.
	if to.reads > 5 {
		t.Errorf("%d reads", to.reads)
	}
}

func TestFramesLeaveInOneWrite(t *testing.T) {
	from, to := tcpPair(t)
	c := newRecordConn(from)
	write := func() {
		if _, err := c.Write(record(10)); err != nil {
			t.Fatal(err)
		}
	}
	write()
	for range 2 {
		c.hold()
		write()
		write()
		if err := c.flush(); err != nil {
			t.Fatal(err)
		}
	}
	write()
	if from.writes != 4 {
		t.Errorf("%d writes, want 4", from.writes)
	}
	from.Close()
	if got, err := io.ReadAll(to); err != nil || !bytes.Equal(got, bytes.Repeat(record(10), 6)) {
		t.Errorf("read %d bytes, %v", len(got), err)
	}
}

// The muxer finds the socket that is below libp2p's TLS.
func TestTLSIsOverRecords(t *testing.T) {
	server, client := tcpPair(t)
	end := func() (*security, peer.ID) {
		key, _, err := crypto.GenerateEd25519Key(nil)
		if err != nil {
			t.Fatal(err)
		}
		id, err := peer.IDFromPrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		s, err := newTLS(p2ptls.ID, key, nil)
		if err != nil {
			t.Fatal(err)
		}
		return s, id
	}
	a, _ := end()
	b, id := end()
	go func() { _, _ = b.SecureInbound(t.Context(), server, "") }()
	c, err := a.SecureOutbound(t.Context(), client, id)
	if err != nil {
		t.Fatal(err)
	}
	if r := recordsBelow(c); r == nil || lowWaterMark && r.socket == nil {
		t.Errorf("%+v below %T", r, c)
	}
}
