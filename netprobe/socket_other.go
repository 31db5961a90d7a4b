//go:build !linux

package netprobe

import "syscall"

// tcpSent is unknown: other kernels have no TCP_INFO, or another one.
func tcpSent(syscall.RawConn) Loss { return Loss{} }
