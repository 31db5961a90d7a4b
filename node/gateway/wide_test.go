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

// Only so many connections have wide buffers at a time; one that is closed makes room for another.
func TestWideConnections(t *testing.T) {
	l := listenWide(t)
	accept := func() (c net.Conn, wide bool) {
		t.Helper()
		far, err := net.Dial("tcp", l.Addr().String())
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
	first, wide := accept()
	if !wide {
		if len(l.places) != 0 {
			t.Errorf("%d places taken for nothing", len(l.places))
		}
		t.Skip("this kernel does not let buffers be widened")
	}
	for range wideConns - 1 {
		if _, wide := accept(); !wide {
			t.Fatalf("only %d are wide", len(l.places))
		}
	}
	if _, wide := accept(); wide {
		t.Error("one too many is wide")
	}
	for range 2 { // net/http closes twice, too
		_ = first.Close()
	}
	if n := len(l.places); n != wideConns-1 {
		t.Errorf("%d places taken after one was left", n)
	}
	if _, wide := accept(); !wide {
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
	if n := len(l.places); n != 1 {
		t.Errorf("%d places taken", n)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
