package sockopt

import (
	"errors"
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

// Where the kernel may cut what it is asked for, and cannot be told to fit it to the connection
// after that, a connection stays as it is (before Linux 5.14, without CAP_NET_ADMIN).
func TestOldKernelKeepsItsOwn(t *testing.T) {
	own, err := ownSendBound()
	if err != nil {
		t.Skip("the kernel does not tell its bound:", err)
	}
	old := func(_, _, opt, value int) error {
		switch opt {
		case unix.SO_SNDBUFFORCE:
			return unix.EPERM
		case unix.SO_BUF_LOCK:
			return unix.ENOPROTOOPT
		}
		t.Errorf("option %d was set to %d", opt, value)
		return nil
	}
	var refused error
	listen(t, func(raw syscall.RawConn) {
		_ = raw.Control(func(fd uintptr) { refused = widenSend(old, int(fd), 2*own) })
	})
	if !errors.Is(refused, unix.ENOPROTOOPT) {
		t.Errorf("error %v", refused)
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
