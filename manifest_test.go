package shoal

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// noise is n reproducible random bytes.
func noise(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1: byte(n), 2: byte(n >> 8)}).Read(b)
	return b
}

// manifestOf builds a manifest of a single file.
func manifestOf(t testing.TB, data []byte, pieceLength int) *Manifest {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	m, err := BuildManifest(t.Context(), path, BuildOptions{PieceLength: pieceLength})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Every length at which the shape of the hash tree changes (BEP 52).
func TestVerifyPiece(t *testing.T) {
	const pl = 4 * blockSize
	for _, length := range []int{
		1, blockSize - 1, blockSize, blockSize + 1, 2 * blockSize, 2*blockSize + 1, 3 * blockSize,
		pl - 1, pl, pl + 1, pl + blockSize, pl + 2*blockSize + 1, 2 * pl, 2*pl + 1, 5*pl - 1, 5 * pl,
	} {
		data := noise(length)
		m := manifestOf(t, data, pl)
		checkManifest(t, m)
		if want := (length + pl - 1) / pl; m.NumPieces() != want || m.Size() != int64(length) {
			t.Fatalf("%d bytes: %d pieces, size %d", length, m.NumPieces(), m.Size())
		}
		for i := range m.NumPieces() {
			piece := data[i*pl : min(length, (i+1)*pl)]
			if m.PieceSize(i) != len(piece) || !m.VerifyPiece(i, piece) {
				t.Errorf("%d bytes: piece %d of %d bytes is refused", length, i, len(piece))
			}
			if m.VerifyPiece(i, piece[:len(piece)-1]) || m.VerifyPiece(i, append(piece[:len(piece):len(piece)], 0)) {
				t.Errorf("%d bytes: piece %d is accepted with another length", length, i)
			}
			for _, at := range []int{0, len(piece) / 2, len(piece) - 1} {
				piece[at] ^= 1
				if m.VerifyPiece(i, piece) {
					t.Errorf("%d bytes: piece %d is accepted with byte %d changed", length, i, at)
				}
				piece[at] ^= 1
			}
			if m.NumPieces() > 1 && m.VerifyPiece((i+1)%m.NumPieces(), piece) {
				t.Errorf("%d bytes: piece %d is accepted for the next", length, i)
			}
		}
		if m.VerifyPiece(-1, data) || m.VerifyPiece(m.NumPieces(), data) {
			t.Errorf("%d bytes: a piece out of range is accepted", length)
		}
	}
}

func TestVerifyPieceDoesNotAllocate(t *testing.T) {
	data := noise(100_000)
	m := manifestOf(t, data, 32<<10)
	last := data[3*(32<<10):]
	if n := testing.AllocsPerRun(10, func() {
		if !m.VerifyPiece(3, last) {
			t.Error("refused")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestLocateOutOfRangePanics(t *testing.T) {
	m := manifestOf(t, noise(10), MinPieceLength)
	for _, i := range []int{-1, 1} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("piece %d of 1: no panic", i)
				}
			}()
			m.Locate(i)
		}()
	}
}

func BenchmarkVerifyPiece(b *testing.B) {
	const pl = 1 << 20
	data := noise(2 * pl)
	m := manifestOf(b, data, pl)
	b.SetBytes(pl)
	b.ReportAllocs()
	for b.Loop() {
		if !m.VerifyPiece(1, data[pl:]) {
			b.Fatal("refused")
		}
	}
}

func BenchmarkLocate(b *testing.B) {
	m := &Manifest{pieceLength: MinPieceLength, files: make([]File, 10_000), hashes: make([][32]byte, 10_000)}
	for i := range m.files {
		m.files[i] = File{Length: 1, FirstPiece: i}
	}
	i := 0
	for b.Loop() {
		m.Locate(i)
		i = (i + 7919) % len(m.hashes)
	}
}
