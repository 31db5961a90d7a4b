package store

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// syncAll makes everything on the file system of dir durable: one call where
// a content has many dirty files, for each of which fsync would wait for the
// disk.
func syncAll(dir *os.Root) error {
	f, err := dir.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(os.NewSyscallError("syncfs", unix.Syncfs(int(f.Fd()))), f.Close())
}

// dropCached takes what is durable of f out of the page cache.
func dropCached(f *os.File) { _ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED) }

// lock takes f for this process, until it is closed or the process ends.
func lock(f *os.File) error {
	return os.NewSyscallError("flock", unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB))
}
