package main

import "syscall"

// childAttributes gives a child a process group of its own, so that Ctrl-C on
// the terminal reaches only the demo, which then stops the children in order;
// the kernel kills them if the demo dies first.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
