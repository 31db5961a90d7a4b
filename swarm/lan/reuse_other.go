//go:build !unix

package lan

import "syscall"

// reuse leaves the port to one process of the machine.
func reuse(_, _ string, _ syscall.RawConn) error { return nil }
