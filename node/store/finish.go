package store

import (
	"fmt"
	"io/fs"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/internal/durable"
)

// finish makes every file and folder of a complete content what it shall be, and
// returns the files' times. What it changes is the next flush's to make durable.
func (c *content) finish() ([]int64, error) {
	times := make([]int64, len(c.m.Files()))
	var g errgroup.Group
	workers := runtime.GOMAXPROCS(0)
	for i := range workers {
		first, end := i*len(times)/workers, (i+1)*len(times)/workers
		g.Go(func() error {
			return c.at.look(first, end, func(file int, info fs.FileInfo) (err error) {
				times[file], err = c.finishFile(file, info)
				return err
			})
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return times, c.finishFolders()
}

// finishFile creates a file if it is empty, sets the mode that the umask may have
// taken from it, and returns its time. info is lstat's, nil where the file is missing.
func (c *content) finishFile(file int, info fs.FileInfo) (mtime int64, err error) {
	want := c.m.Files()[file]
	if info != nil && want.Length > 0 && fits(info, want) && info.Mode().Perm() == fileMode(want) {
		return info.ModTime().UnixNano(), nil
	}
	cached, err := c.d.files.acquire(c, file)
	if err != nil {
		return 0, err
	}
	defer c.d.files.release(cached)
	f := cached.value
	if info, err = f.Stat(); err != nil {
		return 0, err
	}
	if !fits(info, want) {
		c.dropFile(file)
		return 0, fmt.Errorf("%w: file %q has %d bytes, want %d", shoal.ErrCorrupt, want.Path, info.Size(), want.Length)
	}
	if mode := fileMode(want); info.Mode().Perm() != mode {
		if err := f.Chmod(mode); err != nil {
			return 0, err
		}
	}
	// What is open need not be what is there.
	if info, err = c.at.lstat(file); err != nil || !fits(info, want) {
		return 0, fmt.Errorf("%w: file %q was changed in the partial folder", shoal.ErrCorrupt, want.Path)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.touchFile(file)
	return info.ModTime().UnixNano(), nil
}

func (c *content) finishFolders() error {
	seen := map[string]bool{}
	for file := range c.m.Files() {
		for dir := range parents(c.at.name(file)) {
			if seen[dir] {
				break // and so are those above it
			}
			seen[dir] = true
			info, err := c.at.dir.Lstat(dir)
			if err != nil {
				return err
			}
			if info.Mode().Perm() == 0o755 {
				continue
			}
			if err := c.at.dir.Chmod(dir, 0o755); err != nil {
				return err
			}
			if err := durable.Sync(c.at.dir, dir); err != nil {
				return err
			}
		}
	}
	return nil
}
