//go:build !linux

package sockopt

import (
	"errors"
	"fmt"
	"syscall"
)

// WidenSend fails with [errors.ErrUnsupported]: only Linux is asked for it.
func WidenSend(syscall.RawConn, int) error {
	return fmt.Errorf("send buffer: %w", errors.ErrUnsupported)
}
