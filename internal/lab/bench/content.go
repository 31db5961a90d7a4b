//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/shoal-cdn/shoal"
)

// content is a file or a folder that is distributed.
type content struct {
	index int
	name  string
	path  string   // the original
	files []string // below path, of a folder; nil for a file
	size  shoal.Size
}

// makeContents makes a scenario's contents in a folder. They are the same every
// time, and random, so that nothing can be gained by compression.
func makeContents(dir string, s scenario) ([]content, error) {
	contents := make([]content, s.contents)
	for i := range contents {
		c := content{index: i, name: fmt.Sprintf("content%02d", i), size: share(s.size, s.contents, i)}
		c.path = filepath.Join(dir, c.name)
		random := rand.NewChaCha8([32]byte{byte(i), 1})
		if err := c.make(s.files, random); err != nil {
			return nil, fmt.Errorf("make contents: %w", err)
		}
		contents[i] = c
	}
	return contents, nil
}

func (c *content) make(files int, random *rand.ChaCha8) error {
	if files == 0 {
		return writeRandom(c.path, c.size, random)
	}
	for i := range files {
		name := fmt.Sprintf("%03d/%05d.bin", i/100, i)
		path := filepath.Join(c.path, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := writeRandom(path, share(c.size, files, i), random); err != nil {
			return err
		}
		c.files = append(c.files, name)
	}
	return nil
}

// share is the i-th of n nearly equal parts of a size.
func share(size shoal.Size, n, i int) shoal.Size {
	return size*shoal.Size(i+1)/shoal.Size(n) - size*shoal.Size(i)/shoal.Size(n)
}

func writeRandom(path string, size shoal.Size, random *rand.ChaCha8) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.CopyN(f, random, int64(size))
	return errors.Join(err, f.Close())
}

// verify compares a copy with the original: the same files with the same bytes,
// and no others.
func (c content) verify(path string) error {
	if c.files == nil {
		return sameFile(c.path, path)
	}
	for _, name := range c.files {
		if err := sameFile(filepath.Join(c.path, name), filepath.Join(path, name)); err != nil {
			return err
		}
	}
	n := 0
	err := filepath.WalkDir(path, func(_ string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			n++
		}
		return err
	})
	if err == nil && n != len(c.files) {
		err = fmt.Errorf("%s has %d files, want %d", path, n, len(c.files))
	}
	return err
}

func sameFile(want, got string) error {
	a, err := os.Open(want)
	if err != nil {
		return err
	}
	defer a.Close()
	b, err := os.Open(got)
	if err != nil {
		return err
	}
	defer b.Close()
	x, y := make([]byte, 256<<10), make([]byte, 256<<10)
	for at := 0; ; {
		n, errA := io.ReadFull(a, x)
		m, errB := io.ReadFull(b, y)
		if n != m || !bytes.Equal(x[:n], y[:m]) {
			return fmt.Errorf("%s differs from the original between bytes %d and %d", got, at, at+max(n, m))
		}
		at += n
		if errA != nil || errB != nil {
			return errors.Join(unlessEnd(errA), unlessEnd(errB))
		}
	}
}

func unlessEnd(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}
