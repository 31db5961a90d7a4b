//go:build !linux

package sockopt

import (
	"errors"
	"fmt"
	"syscall"
)

// WidenReceive fails with [errors.ErrUnsupported]: only Linux is asked for it.
func WidenReceive(syscall.RawConn, int) error {
	return fmt.Errorf("receive buffer: %w", errors.ErrUnsupported)
}
