package tus

import (
	"errors"
	"io"
	"os"
)

func (u *upload) read(name string) ([]byte, error) {
	f, err := u.d.root.Open(u.at(name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxInfo))
}

// replace makes b what name holds, durably and all at once.
func (u *upload) replace(name string, b []byte) error {
	temp := u.at(name + ".tmp")
	f, err := u.d.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := u.d.root.Rename(temp, u.at(name)); err != nil {
		return err
	}
	dir, err := u.d.root.Open(u.dir)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
