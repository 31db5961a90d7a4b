//go:build !linux

package store

import (
	"errors"
	"os"
)

// syncAll is only there on Linux; the caller syncs file by file then.
func syncAll(*os.File) error { return errors.ErrUnsupported }

// dropCached only tunes.
func dropCached(*os.File) {}

// lock is only there on Linux.
func lock(*os.File) error { return nil }
