package spool

import (
	"os"

	"golang.org/x/sys/unix"
)

// flock takes f for this process, until it is closed or the process ends.
func flock(f *os.File) error {
	return os.NewSyscallError("flock", unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB))
}

// reflink has to share the blocks of from until one of the two is written to
// (ioctl_ficlone(2)); most file systems can't.
func reflink(to, from *os.File) error {
	return os.NewSyscallError("ioctl", unix.IoctlFileClone(int(to.Fd()), int(from.Fd())))
}
