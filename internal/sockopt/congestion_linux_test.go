package sockopt

import (
	"errors"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// congestion is what a connection sends by.
func congestion(t *testing.T, c *net.TCPConn) string {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var name string
	if cerr := raw.Control(func(fd uintptr) {
		name, err = unix.GetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION)
	}); cerr != nil || err != nil {
		t.Fatal(cerr, err)
	}
	return strings.TrimRight(name, "\x00")
}

// listen accepts one connection of a listener on which set was called.
func listen(t *testing.T, set func(syscall.RawConn)) *net.TCPConn {
	t.Helper()
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error { set(c); return nil }}
	lc.SetMultipathTCP(false)
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dialled, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dialled.Close() })
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(*net.TCPConn)
}

// Connections inherit what their listener was told, whichever the default is.
func TestAcceptedConnectionsInherit(t *testing.T) {
	allowed, err := os.ReadFile("/proc/sys/net/ipv4/tcp_allowed_congestion_control")
	if err != nil {
		t.Skip("the kernel does not tell what it allows:", err)
	}
	for _, name := range strings.Fields(string(allowed)) {
		var refused error
		c := listen(t, func(raw syscall.RawConn) { refused = SetCongestion(raw, name) })
		if got := congestion(t, c); refused != nil || got != name {
			t.Errorf("%s: sends by %s, %v", name, got, refused)
		}
	}
}

// A refusal is told, and leaves a socket that works.
func TestRefused(t *testing.T) {
	before := congestion(t, listen(t, func(syscall.RawConn) {}))
	var refused error
	c := listen(t, func(raw syscall.RawConn) { refused = SetCongestion(raw, "no-such-control") })
	if !errors.Is(refused, syscall.ENOENT) || !strings.Contains(refused.Error(), "no-such-control") {
		t.Errorf("error: %v", refused)
	}
	if got := congestion(t, c); got != before {
		t.Errorf("sends by %s, want the default %s", got, before)
	}
}
