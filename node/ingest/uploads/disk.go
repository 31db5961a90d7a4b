package uploads

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/internal/durable"
)

// replaceFile makes b what name holds, durably, all of it or not at all.
func replaceFile(root *os.Root, name string, b []byte) error {
	return durable.Replace(root, name, tempName(), b, 0o644)
}

// createFile makes b what name holds, durably, unless there is such a file already:
// [fs.ErrExist]. Of several processes that try one succeeds, over NFS too.
func createFile(root *os.Root, name string, b []byte) error {
	return durable.Create(root, name, tempName(), b, 0o644)
}

// tempName is nobody else's.
func tempName() string { return ".tmp-" + rand.Text() }

// readFile reads a whole file of at most so many bytes, as it is now.
func readFile(root *os.Root, name string, most int64) ([]byte, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(b)) > most {
		err = fmt.Errorf("%s: %w: larger than %d bytes", name, shoal.ErrCorrupt, most)
	}
	return b, err
}

// names lists a folder.
func names(root *os.Root) ([]string, error) {
	dir, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	return dir.Readdirnames(-1)
}

// exists reports whether anything is at name.
func exists(root *os.Root, name string) (bool, error) {
	_, err := root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// openData opens a data file for reading and writing, and makes it where it is not there.
func (u *Upload) openData(file int) (*os.File, error) {
	name, _, executable := u.shape().file(file)
	mode := os.FileMode(0o644)
	if executable {
		mode = 0o755
	}
	root, release, err := u.folder()
	if err != nil {
		return nil, err
	}
	defer release()
	f, err := root.OpenFile(name, os.O_RDWR, mode)
	if !errors.Is(err, fs.ErrNotExist) {
		return u.regular(f, err)
	}
	if ok, _ := exists(root, descriptionFile); !ok {
		return nil, gone(u.rec.Task, err)
	}
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return nil, err
	}
	f, err = root.OpenFile(name, os.O_RDWR|os.O_CREATE, mode)
	if err == nil {
		u.touchFolders(name)
	}
	return u.regular(f, err)
}

// regular refuses what is no file: somebody has put it there.
func (u *Upload) regular(f *os.File, err error) (*os.File, error) {
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%w: %s is no regular file", shoal.ErrConflict, f.Name())
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
