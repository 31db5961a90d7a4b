package sockopt

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// BoundUnsent keeps what the kernel takes from the program and has not sent yet
// down to n bytes (TCP_NOTSENT_LOWAT, tcp(7)): what it has taken is then nearly
// what the path has taken.
func BoundUnsent(c syscall.RawConn, n int) error {
	var refused error
	if err := c.Control(func(fd uintptr) {
		refused = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, n)
	}); err != nil {
		return fmt.Errorf("bound unsent bytes: %w", err)
	}
	if refused != nil {
		return fmt.Errorf("bound unsent bytes: %w", os.NewSyscallError("setsockopt", refused))
	}
	return nil
}
