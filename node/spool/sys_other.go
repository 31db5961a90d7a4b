//go:build !linux

package spool

import (
	"errors"
	"os"
)

// flock is only there on Linux.
func flock(*os.File) error { return nil }

// reflink is only there on Linux.
func reflink(_, _ *os.File) error { return errors.ErrUnsupported }
