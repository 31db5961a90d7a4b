package store

import (
	"io/fs"
	"iter"
	"os"
	"path"
)

// look yields the files from first to before end with what lstat says of each, nil
// where it fails. Files that follow each other in a folder cost one walk along its path.
func (p place) look(first, end int) iter.Seq2[int, fs.FileInfo] {
	return func(yield func(int, fs.FileInfo) bool) {
		var at string
		var folder *os.Root // at; nil at first, and where it cannot be opened
		leave := func() {
			if folder != nil {
				folder.Close()
			}
		}
		defer func() { leave() }()
		for file := first; file < end; file++ {
			dir, name := path.Split(p.name(file))
			if dir = path.Clean(dir); dir != at {
				leave()
				at, folder = dir, p.openFolder(dir)
			}
			var info fs.FileInfo
			if folder != nil {
				info, _ = folder.Lstat(name) // nil with an error
			}
			if !yield(file, info) {
				return
			}
		}
	}
}

// openFolder returns nil where there is no such folder, or no way to it.
func (p place) openFolder(dir string) *os.Root {
	if p.dir == nil {
		return nil
	}
	folder, err := p.dir.OpenRoot(dir)
	if err != nil {
		return nil
	}
	return folder
}
