package upload

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/shoal-cdn/shoal"
)

// source is the data of a content on disk. It is safe for concurrent use.
type source struct {
	manifest *shoal.Manifest
	root     *os.Root // the folder, or the one that the file is in
	file     string   // the file's name in it; "" for a folder
	stamps   []stamp  // of the files, as they were when the source was opened
}

// stamp tells whether a file was written to, without reading it.
type stamp struct {
	size int64
	time time.Time
}

// openSource opens what a manifest describes at path. A file that is missing or
// of another length is [shoal.ErrChanged].
func openSource(path string, m *shoal.Manifest) (*source, error) {
	real, err := filepath.EvalSymlinks(path) // what the user names may be a link; os.Root follows none that leaves it
	if err != nil {
		return nil, gone(err)
	}
	s := &source{manifest: m}
	if !m.IsFolder() {
		real, s.file = filepath.Split(real)
	}
	if s.root, err = os.OpenRoot(cmp.Or(real, ".")); err != nil {
		return nil, gone(err)
	}
	for i, f := range m.Files() {
		info, err := s.root.Stat(s.name(i))
		if err == nil && info.Size() != f.Length {
			err = fmt.Errorf("%s has %d bytes, it had %d: %w", f.Path, info.Size(), f.Length, shoal.ErrChanged)
		}
		if err != nil {
			s.close()
			return nil, gone(err)
		}
		s.stamps = append(s.stamps, stamp{info.Size(), info.ModTime()})
	}
	return s, nil
}

// name is where file i is below root.
func (s *source) name(i int) string {
	return cmp.Or(s.file, filepath.FromSlash(s.manifest.Files()[i].Path))
}

func (s *source) close() { _ = s.root.Close() }

// read appends chunks to buf. What is not as it was hashed is [shoal.ErrChanged].
func (s *source) read(buf []byte, chunks span) ([]byte, error) {
	var file *os.File
	opened := -1
	defer func() {
		if file != nil {
			file.Close()
		}
	}()
	for k := chunks.first; k < chunks.end(); k++ {
		i, offset := s.manifest.Locate(k)
		if i != opened {
			if file != nil {
				file.Close()
			}
			var err error
			if file, err = s.open(i); err != nil {
				return buf, err
			}
			opened = i
		}
		at, n := len(buf), s.manifest.PieceSize(k)
		buf = append(buf, make([]byte, n)...)
		if _, err := file.ReadAt(buf[at:], offset); err != nil {
			if errors.Is(err, io.EOF) {
				err = shoal.ErrChanged
			}
			return buf, fmt.Errorf("read %s: %w", s.manifest.Files()[i].Path, err)
		}
	}
	return buf, nil
}

// open opens file i, unless it was written to since the source was opened.
func (s *source) open(i int) (*os.File, error) {
	path := s.manifest.Files()[i].Path
	f, err := s.root.Open(s.name(i))
	if err != nil {
		return nil, gone(err)
	}
	info, err := f.Stat()
	if err == nil && (info.Size() != s.stamps[i].size || !info.ModTime().Equal(s.stamps[i].time)) {
		err = fmt.Errorf("%s was written to: %w", path, shoal.ErrChanged)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// verify reports whether chunks, as read, are what was hashed.
func (s *source) verify(data []byte, chunks span) error {
	for k := chunks.first; k < chunks.end(); k++ {
		n := s.manifest.PieceSize(k)
		if !s.manifest.VerifyPiece(k, data[:n]) {
			i, _ := s.manifest.Locate(k)
			return fmt.Errorf("%s holds other bytes: %w", s.manifest.Files()[i].Path, shoal.ErrChanged)
		}
		data = data[n:]
	}
	return nil
}

// unchanged checks all files once more.
func (s *source) unchanged() error {
	for i, f := range s.manifest.Files() {
		info, err := s.root.Stat(s.name(i))
		if err != nil {
			return gone(err)
		}
		if info.Size() != s.stamps[i].size || !info.ModTime().Equal(s.stamps[i].time) {
			return fmt.Errorf("%s was written to: %w", f.Path, shoal.ErrChanged)
		}
	}
	return nil
}

// gone marks a file that is no more as changed.
func gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", shoal.ErrChanged, err)
	}
	return err
}
