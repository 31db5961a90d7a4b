package store

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"syscall"
)

// look calls each with the files from first to before end and what lstat says of them: nil
// where there is no such file in the place. It ends with the first error of each, and with
// any that says nothing about a file, such as too many open ones. Files that follow each
// other in a folder cost one walk along its path.
func (p place) look(first, end int, each func(file int, info fs.FileInfo) error) error {
	var at string
	var folder *os.Root // at; nil at first, and where it is missing
	leave := func() {
		if folder != nil && folder != p.dir {
			folder.Close()
		}
	}
	defer func() { leave() }()
	p, done, err := p.fix()
	switch {
	case err == nil:
		defer done()
	case missing(err):
		p.dir = nil
	default:
		return err
	}
	for file := first; file < end; file++ {
		dir, name := path.Split(p.name(file))
		if dir = path.Clean(dir); dir != at {
			leave()
			at, folder = dir, p.dir
			if dir != "." {
				var err error
				if folder, err = p.openFolder(dir); err != nil && !missing(err) {
					return err
				}
			}
		}
		var info fs.FileInfo
		if folder != nil {
			var err error
			if info, err = folder.Lstat(name); err != nil && !missing(err) {
				return err
			}
		}
		if err := each(file, info); err != nil {
			return err
		}
	}
	return nil
}

// openFolder opens a folder of the place. It does not wait where somebody has put a named
// pipe: with the slash, nothing but a folder is opened.
func (p place) openFolder(dir string) (*os.Root, error) {
	p, done, err := p.fix()
	if err != nil {
		return nil, err
	}
	defer done()
	return p.dir.OpenRoot(dir + "/")
}

// missing reports whether an error of an [os.Root] says that there is no such file, or no
// way to it within the root, for which it has errors that are not the system's.
func missing(err error) bool {
	_, system := errors.AsType[syscall.Errno](err)
	return !system || errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ELOOP)
}
