package db

import (
	"os"

	"golang.org/x/sys/unix"
)

// lock takes f for this process, until it is closed or the process ends.
func lock(f *os.File) error {
	return os.NewSyscallError("flock", unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB))
}
