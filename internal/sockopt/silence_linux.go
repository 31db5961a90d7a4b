package sockopt

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// BoundSilence ends a TCP connection, those that a listening socket accepts from then on, and what
// the kernel still has to send of a closed one, when the other end has acknowledged nothing of
// what it was sent, or has taken nothing, for so long (TCP_USER_TIMEOUT, tcp(7); RFC 5482).
func BoundSilence(c syscall.RawConn, d time.Duration) error {
	var refused error
	if err := c.Control(func(fd uintptr) {
		refused = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(d.Milliseconds()))
	}); err != nil {
		return fmt.Errorf("bound silence: %w", err)
	}
	if refused != nil {
		return fmt.Errorf("bound silence: %w", os.NewSyscallError("setsockopt", refused))
	}
	return nil
}

// Unacknowledged is how many bytes the kernel holds of a TCP connection that are to be sent, or
// were sent and have not been acknowledged (SIOCOUTQ, tcp(7)).
func Unacknowledged(c syscall.RawConn) (bytes int, err error) {
	cerr := c.Control(func(fd uintptr) { bytes, err = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) })
	switch {
	case cerr != nil:
		return 0, fmt.Errorf("unacknowledged bytes: %w", cerr)
	case err != nil:
		return 0, fmt.Errorf("unacknowledged bytes: %w", os.NewSyscallError("ioctl", err))
	}
	return bytes, nil
}
