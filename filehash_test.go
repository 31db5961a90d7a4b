package shoal

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// hashFile is the manifest of a file on disk that begins like head, and goes on
// with zeros.
func hashFile(t *testing.T, path string, head []byte, size int64) *Manifest {
	t.Helper()
	if err := errors.Join(os.WriteFile(path, head[:min(int64(len(head)), size)], 0o644), os.Truncate(path, size)); err != nil {
		t.Fatal(err)
	}
	m, err := BuildManifest(t.Context(), path, BuildOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// A FileHasher says of every length what BuildManifest says: where the hash
// tree changes its shape, and where the pieces get longer.
func TestFileHasher(t *testing.T) {
	const (
		pl     = minChosenPieceLength
		longer = 3*wantedPieces/2*pl + wantedPieces // from here on, pieces are twice as long
	)
	head := noise(3*pl + 100)
	path := filepath.Join(t.TempDir(), "f")
	sizes := []int64{
		0, 1, blockSize - 1, blockSize, blockSize + 1, pl - 1, pl, pl + 1, 2 * pl, 3*pl + 100,
		longer - wantedPieces, longer - 1, longer, longer + 1, longer - wantedPieces + pl, longer - wantedPieces + 2*pl,
		longer - wantedPieces + 2*pl + 1, longer + 5*pl + 7, 2*longer + 3*pl,
	}
	h, err := NewFileHasher("f")
	if err != nil {
		t.Fatal(err)
	}
	zeros := make([]byte, 1<<20)
	for _, size := range sizes {
		if size < h.Size() {
			h.Reset()
		}
		for h.Size() < size {
			rest := zeros
			if h.Size() < int64(len(head)) {
				rest = head[h.Size():]
			}
			n := min(size-h.Size(), int64(len(rest)), 1+h.Size()/3) // pieces of all sizes, whole blocks seldom
			if _, err := h.Write(rest[:n]); err != nil {
				t.Fatal(err)
			}
		}
		got, err := h.Manifest()
		if err != nil {
			t.Fatal(err)
		}
		if want := hashFile(t, path, head, size); got.ID() != want.ID() || !bytes.Equal(got.Torrent(), want.Torrent()) {
			t.Errorf("%d bytes: %d pieces of %d, want %d of %d", size, got.NumPieces(), got.PieceLength(), want.NumPieces(), want.PieceLength())
		}
	}
}

func TestFileHasherRefuses(t *testing.T) {
	for _, name := range []string{"", "..", "a/b", "a\\b", "a\nb", strings.Repeat("x", 256)} {
		if _, err := NewFileHasher(name); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v", name, err)
		}
	}
	h, err := NewFileHasher("f")
	if err != nil {
		t.Fatal(err)
	}
	h.size = MaxPieces*MaxPieceLength - 1
	if n, err := h.Write([]byte("ab")); n != 0 || !errors.Is(err, ErrInvalid) {
		t.Errorf("beyond the largest content: %d, %v", n, err)
	}
}

func BenchmarkFileHasher(b *testing.B) {
	h, err := NewFileHasher("f")
	if err != nil {
		b.Fatal(err)
	}
	data := noise(1 << 20)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.Write(data); err != nil {
			b.Fatal(err)
		}
	}
}
