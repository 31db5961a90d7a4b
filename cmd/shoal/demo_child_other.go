//go:build !linux

package main

import "syscall"

// childAttributes: children that end with their parent need Linux.
func childAttributes() *syscall.SysProcAttr { return nil }
