package durable

import (
	"errors"
	"io/fs"
	"os"
	"path"
)

// Replace makes b what the file name below root holds, with the permissions mode less the umask. It is written as temp first.
func Replace(root *os.Root, name, temp string, b []byte, mode os.FileMode) error {
	if err := write(root, temp, b, mode); err != nil {
		return err
	}
	if err := root.Rename(temp, name); err != nil {
		return errors.Join(err, root.Remove(temp))
	}
	return Sync(root, path.Dir(name))
}

// Create is Replace for a name that nothing has yet: [io/fs.ErrExist] where something has. Of several that
// try, in other processes and over NFS too, one succeeds.
func Create(root *os.Root, name, temp string, b []byte, mode os.FileMode) error {
	if err := write(root, temp, b, mode); err != nil {
		return err
	}
	err := link(root, temp, name)
	if err := errors.Join(err, root.Remove(temp)); err != nil {
		return err
	}
	return Sync(root, path.Dir(name))
}

// link gives a file another name. Over NFS the answer to a request that was sent twice may be that the name is taken: by
// this file.
func link(root *os.Root, temp, name string) error {
	err := root.Link(temp, name)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	mine, errMine := root.Lstat(temp)
	there, errThere := root.Lstat(name)
	if errMine == nil && errThere == nil && os.SameFile(mine, there) {
		return nil
	}
	return err
}

// write makes a file durable; a failure leaves none. One that a crash has left is removed first: it has its own
// permissions, and may have another name too.
func write(root *os.Root, name string, b []byte, mode os.FileMode) error {
	const flags = os.O_WRONLY | os.O_CREATE | os.O_EXCL
	f, err := root.OpenFile(name, flags, mode)
	if errors.Is(err, fs.ErrExist) {
		if err := root.Remove(name); err != nil {
			return err
		}
		f, err = root.OpenFile(name, flags, mode)
	}
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, root.Remove(name))
	}
	return nil
}

// Sync makes the bytes of a file below root durable, or the entries of a folder.
func Sync(root *os.Root, name string) error {
	f, err := root.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
