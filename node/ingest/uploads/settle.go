package uploads

import (
	"fmt"
	"maps"
	"os"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/internal/durable"
)

// settle makes each file what it shall be, those without any bytes too, durably, and
// returns when they were last changed.
func (u *Upload) settle(m *shoal.Manifest) (times []int64, err error) {
	l := layoutOf(m)
	times = make([]int64, l.files())
	for i := range times {
		if times[i], err = u.settleFile(l, i); err != nil {
			return nil, err
		}
	}
	u.mu.Lock()
	folders := u.folders
	u.folders = make(map[string]struct{})
	u.mu.Unlock()
	if err := u.syncFolders(folders); err != nil {
		u.mu.Lock()
		maps.Copy(u.folders, folders)
		u.mu.Unlock()
		return nil, err
	}
	return times, nil
}

// syncFolders makes the entries of folders durable.
func (u *Upload) syncFolders(folders map[string]struct{}) error {
	root, release, err := u.folder()
	if err != nil {
		return err
	}
	defer release()
	for dir := range folders {
		if err := durable.Sync(root, dir); err != nil {
			return err
		}
	}
	return nil
}

func (u *Upload) settleFile(l layout, i int) (mtime int64, err error) {
	f, release, err := u.store.files.acquire(fileKey{u, i})
	if err != nil {
		return 0, err
	}
	defer release()
	_, length, executable := l.file(i)
	mode := os.FileMode(0o644)
	if executable {
		mode = 0o755
	}
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	if info.Size() > length { // nobody here has written behind the end
		if err := f.Truncate(length); err != nil {
			return 0, err
		}
	}
	if info.Mode().Perm() != mode {
		if err := f.Chmod(mode); err != nil {
			return 0, err
		}
	}
	if err := f.Sync(); err != nil {
		return 0, err
	}
	if info, err = f.Stat(); err != nil {
		return 0, err
	}
	if info.Size() != length {
		return 0, fmt.Errorf("%w: %s has %d bytes, want %d", shoal.ErrCorrupt, f.Name(), info.Size(), length)
	}
	return info.ModTime().UnixNano(), nil
}
