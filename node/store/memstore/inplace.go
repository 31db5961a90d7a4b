package memstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
	"unicode/utf8"

	"github.com/shoal-cdn/shoal"
)

// inPlace is where a seeded content's files are, and when they were modified
// last.
type inPlace struct {
	path   string
	mtimes []time.Time
}

func lookAt(m *shoal.Manifest, path string) (*inPlace, error) {
	if !filepath.IsAbs(path) || filepath.Clean(path) != path || !utf8.ValidString(path) {
		return nil, fmt.Errorf("%w: want a clean absolute path in UTF-8", shoal.ErrInvalid)
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", shoal.ErrNotFound, err)
	}
	in := &inPlace{path: path, mtimes: make([]time.Time, len(m.Files()))}
	for i, f := range m.Files() {
		info, err := os.Lstat(in.name(m, i))
		if err != nil || !info.Mode().IsRegular() || info.Size() != f.Length {
			return nil, fmt.Errorf("%w: file %q", shoal.ErrChanged, f.Path)
		}
		in.mtimes[i] = info.ModTime()
	}
	return in, nil
}

func (in *inPlace) name(m *shoal.Manifest, file int) string {
	if !m.IsFolder() {
		return in.path
	}
	return filepath.Join(in.path, filepath.FromSlash(m.Files()[file].Path))
}

func (in *inPlace) readAt(m *shoal.Manifest, p []byte, piece int, off int64) error {
	file, start := m.Locate(piece)
	f, err := os.Open(in.name(m, file))
	if err != nil {
		return fmt.Errorf("%w: %w", shoal.ErrChanged, err)
	}
	defer f.Close()
	if _, err := f.ReadAt(p, start+off); err != nil {
		return fmt.Errorf("%w: %w", shoal.ErrChanged, err)
	}
	info, err := f.Stat()
	if err == nil && (info.Size() != m.Files()[file].Length || !info.ModTime().Equal(in.mtimes[file])) {
		err = fmt.Errorf("%w: %q", shoal.ErrChanged, m.Files()[file].Path)
	}
	return err
}
