package uploads

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/shoal-cdn/shoal"
)

// Why an upload, or a part of one, is not taken.
var (
	// ErrFull: no room, on the disk or by the limits. Retryable once there is.
	ErrFull = fmt.Errorf("%w: no room for it", shoal.ErrUnavailable)
	// ErrTooMany: the limit on open uploads is reached. Retryable.
	ErrTooMany = fmt.Errorf("%w: too many uploads are open", shoal.ErrUnavailable)
	// ErrTooLarge: larger than any upload may be. Final.
	ErrTooLarge = fmt.Errorf("%w: too large", shoal.ErrInvalid)
	// ErrIncomplete: chunks are missing that the status tells.
	ErrIncomplete = fmt.Errorf("%w: chunks are missing", shoal.ErrConflict)
	// ErrMixed: what is here is not what was sent, as where others have written to it too.
	ErrMixed = fmt.Errorf("%w: it holds other bytes than were sent", shoal.ErrConflict)
)

// room turns a full disk into [ErrFull].
func room(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}

// gone turns what a folder says that another server has deleted into ErrNotFound.
func gone(task string, err error) error {
	if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ESTALE) {
		return fmt.Errorf("upload %s: %w", task, shoal.ErrNotFound)
	}
	return err
}
