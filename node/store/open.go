package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"sync"
	"syscall"

	"github.com/shoal-cdn/shoal"
)

// dataFile is one of a content's files.
type dataFile struct {
	*os.File
	writing sync.Mutex // one write at a time: the kernel spins where two want a file
}

func (f *dataFile) write(p []byte, off int64) error {
	f.writing.Lock()
	defer f.writing.Unlock()
	_, err := f.WriteAt(p, off)
	return err
}

// openFor returns one of the content's files, open, to read or write n bytes of it; the
// caller releases it. A file that this is all of is not kept open: whoever has all of it
// does not come back for more, and thousands of such files would push out those that
// are in use.
func (c *content) openFor(file, n int) (*cached[int, *dataFile], error) {
	if int64(n) == c.m.Files()[file].Length {
		return c.d.files.openOnce(c, file)
	}
	return c.d.files.acquire(c, file)
}

// openFile opens one of the content's files: for reading
// and writing where the content is partial, and made where it is missing. It does not
// wait where somebody has put a named pipe. That flag also spares the
// runtime four system calls a file: it tries each file as if it were a socket.
func (c *content) openFile(file int) (*dataFile, error) {
	f, err := c.openInFolder(file)
	if errors.Is(err, fs.ErrNotExist) {
		f, err = c.openInFolder(file) // the folder may have been an old one
	}
	return f, err
}

// openInFolder opens a file by its folder, as kept open. That may be one that somebody has
// put another in place of: it is not used again where the file is missing.
func (c *content) openInFolder(file int) (*dataFile, error) {
	dir, name := path.Split(c.at.name(file))
	folder, err := c.d.folders.acquire(c, path.Clean(dir))
	if err != nil {
		return nil, err
	}
	defer c.d.folders.release(folder)
	var f *os.File
	if c.at.writable {
		f, err = c.openPartial(folder.value, name, file)
	} else {
		f, err = folder.value.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	}
	if errors.Is(err, fs.ErrNotExist) {
		c.d.folders.forget(folder)
	}
	if err != nil {
		return nil, err
	}
	return &dataFile{File: f}, nil
}

// openPartial opens a file of a partial content by its name in its folder.
func (c *content) openPartial(folder *os.Root, name string, file int) (*os.File, error) {
	const flags = os.O_RDWR | os.O_CREATE | syscall.O_NONBLOCK
	c.mu.Lock()
	ready := c.ready[file]
	c.mu.Unlock()
	want := c.m.Files()[file]
	if !ready {
		f, err := folder.OpenFile(name, flags|os.O_EXCL, fileMode(want))
		if errors.Is(err, fs.ErrExist) {
			err = prepare(folder, name, want)
		}
		if err != nil {
			return nil, err
		}
		c.nowReady(file)
		if f != nil { // nothing was there to look at
			return f, nil
		}
	}
	return folder.OpenFile(name, flags, fileMode(want))
}

// openFolder opens one of the content's folders for the cache of folders; it is made
// where the content is partial.
func (c *content) openFolder(dir string) (*os.Root, error) {
	folder, err := c.at.openFolder(dir)
	if !errors.Is(err, fs.ErrNotExist) || !c.at.writable {
		return folder, err
	}
	if err := c.at.dir.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	return c.at.openFolder(dir)
}

func (c *content) nowReady(file int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ready[file] = true
	c.touchFolders(c.at.name(file))
}

// prepare makes sure that what is there in a partial file's place can be
// written to. It does no harm twice.
func prepare(folder *os.Root, name string, want shoal.File) error {
	info, err := folder.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist): // no longer there
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%w: %q in the partial folder is not a regular file", shoal.ErrConflict, want.Path)
	case info.Size() > want.Length:
		f, err := folder.OpenFile(name, os.O_WRONLY|syscall.O_NONBLOCK, 0)
		if err != nil {
			return err
		}
		return errors.Join(f.Truncate(want.Length), f.Close())
	}
	return nil
}

func fileMode(f shoal.File) fs.FileMode {
	if f.Executable {
		return 0o755
	}
	return 0o644
}
