package tus

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/shoal-cdn/shoal"
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

// offset is how many bytes are durable.
func (u *upload) offset() (int64, error) {
	b, err := u.read(offsetFile)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil || n < 0 || n > u.info.Size {
		return 0, fmt.Errorf("offset: %w", shoal.ErrCorrupt)
	}
	return n, nil
}

// save makes n bytes durable.
func (u *upload) save(f *os.File, n int64) error {
	if err := f.Sync(); err != nil {
		return err
	}
	if err := u.replace(offsetFile, strconv.AppendInt(nil, n, 10)); err != nil {
		return err
	}
	u.info.Offset = n
	return nil
}
