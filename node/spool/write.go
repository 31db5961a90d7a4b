package spool

import (
	"errors"
	"fmt"
	"os"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/journal"
)

// writeFile replaces a file of the spool, durably and all at once.
func (s *Spool) writeFile(name string, b []byte) error {
	return journal.WriteFile(s.root, name, newSuffix, b)
}

// sync makes a file, or the entries of a folder, durable.
func (s *Spool) sync(name string) error {
	d, err := s.root.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// lock takes one of the spool's locks, until unlock or the end of the process.
// Where somebody has it, the error is of kind [shoal.ErrConflict].
func (s *Spool) lock(name string) (unlock func(), err error) {
	f, err := s.root.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock %s of spool %s: %w", name, s.dir, err)
	}
	if err := flock(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s of spool %s: %w: another process has it", name, s.dir, shoal.ErrConflict)
	}
	return func() { f.Close() }, nil
}
