package shoal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// source is a file or folder on disk that is about to be hashed.
type source struct {
	name  string       // of the content
	abs   string       // its absolute path
	root  *os.Root     // nil for a single file
	files []sourceFile // in the order of a file tree
	size  int64
}

// sourceFile is a regular file as it was found.
type sourceFile struct {
	path string // relative to a folder; the name of a single file
	info fs.FileInfo
}

// scan finds what is to be hashed; the caller must close the result.
func scan(ctx context.Context, path string) (*source, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	s := &source{name: filepath.Base(abs), abs: abs}
	if err := checkName(s.name); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	// Stat, not Lstat: a symlink that the user names is meant to be followed.
	info, err := os.Stat(abs)
	switch {
	case err != nil:
		return nil, bare(err)
	case info.Mode().IsRegular():
		return s, s.add(s.name, info)
	case !info.IsDir():
		return nil, fmt.Errorf("%w: %s, neither a file nor a folder", ErrInvalid, describe(info.Mode()))
	}
	if s.root, err = os.OpenRoot(abs); err != nil {
		return nil, bare(err)
	}
	if err := s.walk(ctx); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// walk collects a folder's files. The order of [fs.WalkDir], names in byte
// order within each folder, is that of a file tree.
func (s *source) walk(ctx context.Context) error {
	pathBytes := 0
	err := fs.WalkDir(s.root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return s.fail(path, err)
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case path == ".":
			return nil
		}
		if err := checkName(d.Name()); err != nil {
			return fmt.Errorf("%w: %q: %w", ErrInvalid, path, err)
		}
		if err := checkPathBounds(path); err != nil {
			return fmt.Errorf("%w: %w", ErrInvalid, err)
		}
		switch {
		case d.IsDir():
			return nil
		case d.Type()&fs.ModeSymlink != 0:
			return fmt.Errorf("%w: %q: %w", ErrInvalid, path, errSymlink)
		case !d.Type().IsRegular():
			return fmt.Errorf("%w: %q is %s, neither a file nor a folder", ErrInvalid, path, describe(d.Type()))
		}
		if pathBytes += len(path); pathBytes > maxPathBytes {
			return fmt.Errorf("%w: all paths together are longer than %d bytes", ErrInvalid, maxPathBytes)
		}
		info, err := d.Info()
		if err != nil {
			return s.fail(path, disappeared(err))
		}
		return s.add(path, info)
	})
	switch {
	case err != nil:
		return err
	case len(s.files) == 0:
		return fmt.Errorf("%w: no files in it", ErrInvalid)
	case len(s.files) == 1 && s.files[0].path == s.name:
		return fmt.Errorf("%w: BitTorrent v2 cannot tell a folder that holds nothing but a file of its own name from that file", ErrInvalid)
	}
	return nil
}

// describe names a kind of special file.
func describe(m fs.FileMode) string {
	switch {
	case m&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	case m&fs.ModeDevice != 0:
		return "a device"
	}
	return "a special file"
}

func (s *source) add(path string, info fs.FileInfo) error {
	const most = MaxPieces * MaxPieceLength
	if info.Size() > most-s.size {
		return fmt.Errorf("%w: larger than %d bytes", ErrInvalid, int64(most))
	}
	s.files = append(s.files, sourceFile{path, info})
	s.size += info.Size()
	return nil
}

func (s *source) open(f sourceFile) (*os.File, error) {
	if s.root == nil {
		return os.Open(s.abs)
	}
	return s.root.Open(f.path)
}

func (s *source) close() {
	if s.root != nil {
		s.root.Close()
	}
}

// unchanged checks that the open file is still what scan found.
func (f sourceFile) unchanged(file *os.File) error {
	now, err := file.Stat()
	if err != nil {
		return err
	}
	return f.compare(now)
}

func (f sourceFile) compare(now fs.FileInfo) error {
	if !os.SameFile(f.info, now) || now.Size() != f.info.Size() || !now.ModTime().Equal(f.info.ModTime()) {
		return ErrChanged
	}
	return nil
}

// stillUnchanged checks that every file is still what scan found.
func (s *source) stillUnchanged() error {
	for _, f := range s.files {
		now, err := s.stat(f)
		if err == nil {
			err = f.compare(now)
		}
		if err != nil {
			return s.fail(f.path, disappeared(err))
		}
	}
	return nil
}

func (s *source) stat(f sourceFile) (fs.FileInfo, error) {
	if s.root == nil {
		return os.Stat(s.abs)
	}
	return s.root.Lstat(f.path)
}

// fail adds to err, which may be nil, the file's path in the folder; that of
// a single file is the caller's to name.
func (s *source) fail(path string, err error) error {
	switch {
	case err == nil:
		return nil
	case s.root == nil:
		return bare(err)
	}
	return fmt.Errorf("%q: %w", path, bare(err))
}

// disappeared marks a failure to open what scan has found as a change.
func disappeared(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", ErrChanged, bare(err))
	}
	return err
}

// bare strips the path that package os adds, where a better one is added.
func bare(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}
