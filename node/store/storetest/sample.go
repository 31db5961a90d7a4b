package storetest

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/shoal-cdn/shoal"
)

// PieceLength is that of every [Sample], in bytes.
const PieceLength = 32 << 10

// Sample is a content together with its source.
type Sample struct {
	M    *shoal.Manifest
	Path string // of the source, absolute
}

// SampleFile makes a content that is one file of random bytes.
func SampleFile(t testing.TB, name string, size int) Sample {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	writeRandom(t, path, size, 0o644)
	return sample(t, path)
}

// SampleFolder makes a content of 6 pieces in 4 files in nested folders, one
// of them executable, with two empty files besides.
func SampleFolder(t testing.TB, name string) Sample {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	writeRandom(t, filepath.Join(path, "a/deep/er/one"), 1, 0o644)
	writeRandom(t, filepath.Join(path, "a/empty"), 0, 0o644)
	writeRandom(t, filepath.Join(path, "a/two"), 2*PieceLength, 0o644)
	writeRandom(t, filepath.Join(path, "b/größe.bin"), PieceLength+PieceLength/2+1, 0o644)
	writeRandom(t, filepath.Join(path, "run.sh"), 100, 0o755)
	writeRandom(t, filepath.Join(path, "zero"), 0, 0o755)
	return sample(t, path)
}

// SampleTree makes a content of count files of the given size each.
func SampleTree(t testing.TB, count, size int) Sample {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tree")
	for i := range count {
		name := string([]byte{'a' + byte(i%16), '/', 'a' + byte(i/16%26), 'a' + byte(i/16/26%26), 'a' + byte(i/16/26/26)})
		writeRandom(t, filepath.Join(path, name), size, 0o644)
	}
	return sample(t, path)
}

func writeRandom(t testing.TB, path string, size int, mode os.FileMode) {
	t.Helper()
	var seed [32]byte
	copy(seed[:], filepath.Base(path))
	data := make([]byte, size)
	rand.NewChaCha8(seed).Read(data)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, mode); err != nil {
		t.Fatal(err)
	}
}

func sample(t testing.TB, path string) Sample {
	t.Helper()
	m, err := shoal.BuildManifest(t.Context(), path, shoal.BuildOptions{PieceLength: PieceLength})
	if err != nil {
		t.Fatal(err)
	}
	return Sample{M: m, Path: path}
}

// File is the path of one of the source's files.
func (s Sample) File(i int) string {
	if !s.M.IsFolder() {
		return s.Path
	}
	return filepath.Join(s.Path, filepath.FromSlash(s.M.Files()[i].Path))
}

// Piece reads a piece from the source.
func (s Sample) Piece(t testing.TB, i int) []byte {
	t.Helper()
	file, off := s.M.Locate(i)
	f, err := os.Open(s.File(file))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	data := make([]byte, s.M.PieceSize(i))
	if _, err := f.ReadAt(data, off); err != nil {
		t.Fatal(err)
	}
	return data
}
