//go:build !linux

package sockopt

import (
	"errors"
	"fmt"
	"syscall"
	"time"
)

// BoundSilence fails with [errors.ErrUnsupported]: only Linux is asked for it.
func BoundSilence(syscall.RawConn, time.Duration) error {
	return fmt.Errorf("bound silence: %w", errors.ErrUnsupported)
}

// Unacknowledged fails with [errors.ErrUnsupported]: only Linux is asked for it.
func Unacknowledged(syscall.RawConn) (int, error) {
	return 0, fmt.Errorf("unacknowledged bytes: %w", errors.ErrUnsupported)
}
