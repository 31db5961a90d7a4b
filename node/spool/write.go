package spool

import (
	"fmt"
	"os"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/internal/durable"
)

// writeFile replaces a file of the spool, durably and all at once.
func (s *Spool) writeFile(name string, b []byte) error {
	return durable.Replace(s.root, name, name+newSuffix, b, 0o600)
}

// sync makes a file, or the entries of a folder, durable.
func (s *Spool) sync(name string) error { return durable.Sync(s.root, name) }

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
