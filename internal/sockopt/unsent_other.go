//go:build !linux

package sockopt

import (
	"errors"
	"fmt"
	"syscall"
)

// BoundUnsent fails with [errors.ErrUnsupported]: only Linux is asked for it.
func BoundUnsent(syscall.RawConn, int) error {
	return fmt.Errorf("bound unsent bytes: %w", errors.ErrUnsupported)
}
