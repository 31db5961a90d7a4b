package store

import (
	"os"

	"golang.org/x/sys/unix"
)

// syncAll makes everything on the file system of f durable: one call where
// a content has many dirty files, for each of which fsync would wait for the
// disk. It reports, once, writing back that has failed since f was opened, of
// whatever file, and for that f must be older than the data and nobody else's: what one
// descriptor has reported, those opened later do not (syncfs(2), Linux 5.8).
func syncAll(f *os.File) error {
	return os.NewSyscallError("syncfs", unix.Syncfs(int(f.Fd())))
}

// dropCached takes what is durable of f out of the page cache.
func dropCached(f *os.File) { _ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED) }

// lock takes f for this process, until it is closed or the process ends.
func lock(f *os.File) error {
	return os.NewSyscallError("flock", unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB))
}
