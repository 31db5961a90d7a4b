//go:build unix && !race

package swarm

import (
	"errors"

	"golang.org/x/sys/unix"
)

// newMapping returns n bytes of zeroes that are not in Go's heap: they are never
// collected, and gone at once after unmap. Where the system has no more mappings to
// give they are in the heap.
func newMapping(n int) []byte {
	b, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return make([]byte, n)
	}
	return b
}

// unmap ends what newMapping returned, all of it: whoever touches it afterwards ends the
// process. Where it reports false the system could not do so now, and b is as before.
func unmap(b []byte) bool {
	err := unix.Munmap(b)
	return err == nil || errors.Is(err, unix.EINVAL) // not one of its mappings: it is in the heap
}
