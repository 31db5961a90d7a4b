package sockopt

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// WidenReceive has a TCP socket that is not connected yet begin with a receive
// buffer for so many bytes, or as many as this process may have
// (net.core.rmem_max, unless it has CAP_NET_ADMIN), instead of what the kernel
// begins with (net.ipv4.tcp_rmem). The kernel goes on to fit it to the connection.
// A buffer that is larger already, and a kernel that would keep to the one it was given
// (before Linux 5.14, socket(7): SO_BUF_LOCK), are left alone.
func WidenReceive(c syscall.RawConn, bytes int) error {
	var refused error
	if err := c.Control(func(fd uintptr) { refused = widenReceive(int(fd), bytes) }); err != nil {
		return fmt.Errorf("receive buffer: %w", err)
	}
	if refused != nil {
		return fmt.Errorf("receive buffer: %w", os.NewSyscallError("setsockopt", refused))
	}
	return nil
}

// widenReceive is about a descriptor. The kernel doubles what it is asked for, and
// shows the double: half is for its own accounts.
func widenReceive(fd, bytes int) error {
	now, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF)
	if err != nil || now >= 2*bytes {
		return err
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BUF_LOCK, 0); err != nil {
		return err
	}
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, bytes) != nil {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, bytes); err != nil {
			return err
		}
		if got, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF); err == nil && got < now { // its bound is below what it begins with
			_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, now/2)
		}
	}
	return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BUF_LOCK, 0)
}
