package sockopt

import (
	"errors"
	"net"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A socket begins with a larger buffer, never with a smaller one, and the kernel may still fit it.
func TestWidenReceive(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	buffer := func(fd uintptr) int {
		n, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, bytes := range []int{1, 1 << 20} {
		var before, after int
		var refused error
		d := net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
			_ = c.Control(func(fd uintptr) { before = buffer(fd) })
			refused = WidenReceive(c, bytes)
			return c.Control(func(fd uintptr) {
				after = buffer(fd)
				if lock, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_BUF_LOCK); err == nil && lock != 0 {
					t.Errorf("%d bytes: the kernel must keep to it", bytes)
				}
			})
		}}
		c, err := d.DialContext(t.Context(), "tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		if errors.Is(refused, unix.ENOPROTOOPT) {
			t.Skip("this kernel keeps to a buffer it was given")
		}
		if refused != nil || after < before || bytes == 1 && after != before {
			t.Errorf("%d bytes: from %d to %d, error %v", bytes, before, after, refused)
		}
	}
}
