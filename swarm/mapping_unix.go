//go:build unix && !race

package swarm

import "golang.org/x/sys/unix"

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

// unmap ends what newMapping returned, all of it. Whoever touches it afterwards
// ends the process.
func unmap(b []byte) { _ = unix.Munmap(b) } // it fails, and does nothing, for what is in the heap
