package uploads

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"time"
)

// scratchDir has scratch files for the moment in which they have names, and what NFS makes of files without.
const scratchDir = ".scratch"

// Scratch is a file without a name, on the store's disk, for what is not verified yet. It is for one
// goroutine, which closes it; its data is gone then, and after a crash.
type Scratch struct {
	store *Store
	file  *os.File
	size  int64
}

// Scratch makes a file. The error is of kind [ErrFull] where there is no room.
func (s *Store) Scratch() (*Scratch, error) {
	if err := s.root.Mkdir(scratchDir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("scratch file: %w", room(err))
	}
	at := path.Join(scratchDir, rand.Text())
	f, err := s.root.OpenFile(at, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("scratch file: %w", room(err))
	}
	if err := s.root.Remove(at); err != nil {
		return nil, fmt.Errorf("scratch file: %w", errors.Join(err, f.Close()))
	}
	return &Scratch{store: s, file: f}, nil
}

// Write appends to it: [ErrFull] where there is no room.
func (f *Scratch) Write(p []byte) (int, error) {
	if err := f.store.Room(int64(len(p))); err != nil {
		return 0, fmt.Errorf("scratch file: %w", err)
	}
	n, err := f.file.WriteAt(p, f.size)
	f.size += int64(n)
	if err != nil {
		return n, fmt.Errorf("scratch file: %w", room(err))
	}
	return n, nil
}

// ReadAt fills p with what was written from off on.
func (f *Scratch) ReadAt(p []byte, off int64) error {
	if _, err := f.file.ReadAt(p, off); err != nil {
		return fmt.Errorf("scratch file: %w", err)
	}
	return nil
}

// Close gives it up.
func (f *Scratch) Close() { _ = f.file.Close() } // nobody reads it any more

// sweepScratch removes what crashes left of scratch files: those in use have no name, or, on NFS, are written to.
func (s *Store) sweepScratch(now time.Time) {
	entries, err := fs.ReadDir(s.root.FS(), scratchDir)
	if err != nil {
		return // there is none, or the next sweep finds it
	}
	for _, e := range entries {
		at := path.Join(scratchDir, e.Name())
		info, err := s.root.Lstat(at)
		if err != nil || now.Sub(info.ModTime()) < litterAge {
			continue
		}
		if err := s.root.Remove(at); err != nil {
			s.cfg.Log.Warn("could not remove a scratch file", "file", at, "err", err)
		}
	}
}
