package shoal

import "errors"

// Error kinds. Packages wrap them with operation and subject; callers test
// with [errors.Is]. Across HTTP they travel as status codes (tracker/api).
var (
	// ErrInvalid: the input can never be accepted as it is. Final.
	ErrInvalid = errors.New("invalid")
	// ErrNotFound: what was named is not known here. Final until it is added.
	ErrNotFound = errors.New("not found")
	// ErrConflict: the request contradicts what is there (a name is taken, a
	// destination exists, a state forbids it). Final until that changes.
	ErrConflict = errors.New("conflict")
	// ErrCorrupt: data does not match its hash, or a peer broke the protocol.
	ErrCorrupt = errors.New("corrupt")
	// ErrChanged: a file seeded in place is no longer what was hashed.
	ErrChanged = errors.New("changed since it was hashed")
	// ErrUnavailable: the other side cannot serve this now. Retryable.
	ErrUnavailable = errors.New("unavailable")
	// ErrCancelled: somebody asked for the work to stop. Final.
	ErrCancelled = errors.New("cancelled")
)
