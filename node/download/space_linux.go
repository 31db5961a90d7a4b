package download

import "golang.org/x/sys/unix"

// freeSpace is how many bytes a process without privileges can still write to
// the file system of dir.
func freeSpace(dir string) (bytes int64, known bool) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, false
	}
	return int64(st.Bavail) * int64(st.Bsize), true
}
