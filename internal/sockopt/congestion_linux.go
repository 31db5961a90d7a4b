package sockopt

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// SetCongestion chooses the congestion control by which a TCP socket sends, such
// as "bbr" or "cubic"; on a listening socket, that of the connections it accepts
// from then on. The kernel refuses with ENOENT what it has not got, and with EPERM
// what this process may not choose (net.ipv4.tcp_allowed_congestion_control).
func SetCongestion(c syscall.RawConn, name string) error {
	var refused error
	if err := c.Control(func(fd uintptr) {
		refused = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, name)
	}); err != nil {
		return fmt.Errorf("congestion control %q: %w", name, err)
	}
	if refused != nil {
		return fmt.Errorf("congestion control %q: %w", name, os.NewSyscallError("setsockopt", refused))
	}
	return nil
}
