package sockopt

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// WidenSend has a TCP socket, and those that a listening socket accepts from then on, hold so
// many bytes that are to be sent, or were sent and have not been acknowledged. It takes
// CAP_NET_ADMIN, or as large a net.core.wmem_max; with less, the larger of that and the
// kernel's own bound (net.ipv4.tcp_wmem) holds: a kernel that would keep to
// less instead (before Linux 5.14, socket(7): SO_BUF_LOCK) is left alone, with ENOPROTOOPT. A kernel
// whose own bound is larger is left to it.
func WidenSend(c syscall.RawConn, bytes int) error {
	var refused error
	if err := c.Control(func(fd uintptr) { refused = widenSend(unix.SetsockoptInt, int(fd), bytes) }); err != nil {
		return fmt.Errorf("send buffer: %w", err)
	}
	if refused != nil {
		return fmt.Errorf("send buffer: %w", os.NewSyscallError("setsockopt", refused))
	}
	return nil
}

// widenSend is about a descriptor. The kernel doubles what it is asked for, and shows the double:
// half is for its own accounts. What it was asked for it keeps to, unless told that it need not: it
// is asked for what it may cut only where it can be told.
func widenSend(set func(fd, level, opt, value int) error, fd, bytes int) error {
	most, err := ownSendBound()
	if err != nil || most >= 2*bytes {
		return err
	}
	if set(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, bytes) == nil {
		return nil
	}
	if err := set(fd, unix.SOL_SOCKET, unix.SO_BUF_LOCK, 0); err != nil {
		return err
	}
	if err := set(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, bytes); err != nil {
		return err
	}
	got, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF)
	if err != nil || got > most {
		return err
	}
	return set(fd, unix.SOL_SOCKET, unix.SO_BUF_LOCK, 0)
}

// ownSendBound is how large the kernel lets a TCP socket's buffer become by itself.
func ownSendBound() (most int, err error) {
	b, err := os.ReadFile("/proc/sys/net/ipv4/tcp_wmem")
	if err != nil {
		return 0, err
	}
	var least, first int
	_, err = fmt.Sscan(string(b), &least, &first, &most)
	return most, err
}
