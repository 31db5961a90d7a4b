package sockopt

import (
	"net"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Accepted connections have what their listener was told, and never less than without.
func TestAcceptedConnectionsSend(t *testing.T) {
	own, err := ownSendBound()
	if err != nil {
		t.Skip("the kernel does not tell its bound:", err)
	}
	const unsent = 1 << 20
	for _, bytes := range []int{1, 2 * own} {
		var refused error
		c := listen(t, func(raw syscall.RawConn) {
			if err := BoundUnsent(raw, unsent); err != nil {
				t.Error(err)
			}
			refused = WidenSend(raw, bytes)
		})
		buffer := option(t, c, unix.SOL_SOCKET, unix.SO_SNDBUF)
		locked := option(t, c, unix.SOL_SOCKET, unix.SO_BUF_LOCK)&unix.SOCK_SNDBUF_LOCK != 0
		if refused != nil || locked != (buffer > own) || bytes == 1 && locked {
			t.Errorf("%d bytes, the kernel's own bound %d: %d, locked %v, error %v", bytes, own, buffer, locked, refused)
		}
		if got := option(t, c, unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT); got != unsent {
			t.Errorf("%d bytes unsent at most, want %d", got, unsent)
		}
	}
}

// option is a number that the kernel keeps of a connection.
func option(t *testing.T, c *net.TCPConn, level, name int) (value int) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if cerr := raw.Control(func(fd uintptr) { value, err = unix.GetsockoptInt(int(fd), level, name) }); cerr != nil || err != nil {
		t.Fatal(cerr, err)
	}
	return value
}
