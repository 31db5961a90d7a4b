package tus

import (
	"crypto/rand"
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

// replace makes b what name holds, durably and all at once: other servers may do so at the same time.
func (u *upload) replace(name string, b []byte) error {
	temp := u.at(name + "." + rand.Text() + ".tmp")
	f, err := u.d.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = u.d.root.Rename(temp, u.at(name))
	}
	if err != nil {
		return errors.Join(err, u.d.root.Remove(temp))
	}
	dir, err := u.d.root.Open(u.dir)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
