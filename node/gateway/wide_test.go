package gateway

import (
	"io"
	"net"
	"testing"
)

func listenWide(t *testing.T) *wideListener {
	t.Helper()
	var s Server
	l, err := s.listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.(*wideListener)
}

// Only so many connections have wide buffers at a time, and a client only a part of them; one that is
// closed makes room for another.
func TestWideConnections(t *testing.T) {
	l := listenWide(t)
	accept := func(client int) (c net.Conn, wide bool) {
		t.Helper()
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(client))}}
		far, err := d.DialContext(t.Context(), "tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { far.Close() })
		if c, err = l.Accept(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		if _, ok := c.(io.ReaderFrom); !ok {
			t.Error("sendfile cannot be used")
		}
		_, wide = c.(*wideConn)
		return c, wide
	}
	first, wide := accept(1)
	if !wide {
		if n := l.places.underWay(); n != 0 {
			t.Errorf("%d places taken for nothing", n)
		}
		t.Skip("this kernel does not let buffers be widened")
	}
	for range wideConnsEach - 1 {
		if _, wide := accept(1); !wide {
			t.Fatalf("a client has only %d", l.places.underWay())
		}
	}
	if _, wide := accept(1); wide {
		t.Error("a client has one too many")
	}
	for i := wideConnsEach; i < wideConns; i++ {
		if _, wide := accept(1 + i/wideConnsEach); !wide {
			t.Fatalf("only %d are wide", l.places.underWay())
		}
	}
	late := 1 + wideConns/wideConnsEach
	if _, wide := accept(late); wide {
		t.Error("one too many is wide")
	}
	for range 2 { // net/http closes twice, too
		_ = first.Close()
	}
	if n := l.places.underWay(); n != wideConns-1 {
		t.Errorf("%d places taken after one was left", n)
	}
	if _, wide := accept(late); !wide {
		t.Error("the place that was left is not taken")
	}
}

// A closed connection keeps its place while the kernel has data of it: a client must not fill more by
// going away.
func TestWideConnectionWithDataKeepsItsPlace(t *testing.T) {
	l := listenWide(t)
	far, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close() // it reads nothing
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	wide, ok := c.(*wideConn)
	if !ok {
		c.Close()
		t.Skip("this kernel does not let buffers be widened")
	}
	left := make(chan struct{})
	go func() {
		defer close(left)
		_, _ = io.Copy(c, zeros{}) // until it is closed
	}()
	eventually(t, "the client's end is full", func() bool { return wide.unacknowledged() > 0 })
	_ = c.Close()
	<-left
	if n := l.places.underWay(); n != 1 {
		t.Errorf("%d places taken", n)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
