package node

import "golang.org/x/sys/unix"

// diskSpace is how many bytes a process without privileges can still write to
// the file system of dir, and how many that has in all.
func diskSpace(dir string) (free, total int64, known bool) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, 0, false
	}
	return int64(st.Bavail) * int64(st.Bsize), int64(st.Blocks) * int64(st.Bsize), true
}
