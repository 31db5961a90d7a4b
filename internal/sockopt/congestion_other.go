//go:build !linux

package sockopt

import (
	"errors"
	"fmt"
	"syscall"
)

// SetCongestion fails with [errors.ErrUnsupported]: only Linux lets a program
// choose by connection.
func SetCongestion(_ syscall.RawConn, name string) error {
	return fmt.Errorf("congestion control %q: %w", name, errors.ErrUnsupported)
}
