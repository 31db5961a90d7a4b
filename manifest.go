package shoal

import (
	"fmt"
	"math/bits"
	"sort"
)

// Bounds of the piece length (BEP 52 has the lower one).
const (
	MinPieceLength = blockSize
	MaxPieceLength = 16 << 20
)

// Manifest describes a content: a BEP 52 info dictionary together with the
// piece layers that it commits to, and the content's web seeds. It is immutable
// and safe for concurrent use.
type Manifest struct {
	id          ContentID
	info        []byte // the info dictionary, byte for byte
	name        string
	folder      bool
	size        int64
	pieceLength int
	files       []File
	hashes      [][32]byte // of every piece: its node in the piece layer, or its file's pieces root
	layers      []pieceLayer
	webSeeds    []string
}

// pieceLayer is the part of Manifest.hashes that the pieces root of a file
// longer than a piece commits to.
type pieceLayer struct {
	root     [32]byte
	first, n int
}

// File is one file of a content.
type File struct {
	Path       string // slash-separated, relative, clean; a single file's is its name
	Length     int64  // bytes
	Executable bool   // BEP 47 attribute "x"
	FirstPiece int    // the number of its first piece; an empty file has none: the next file's
}

// ID is the SHA-256 of the info dictionary's bytes.
func (m *Manifest) ID() ContentID { return m.id }

// Name is the file's name, or the folder's: one path component.
func (m *Manifest) Name() string { return m.name }

// IsFolder reports whether the content is a folder rather than one file.
func (m *Manifest) IsFolder() bool { return m.folder }

// Size is the sum of all files' lengths in bytes.
func (m *Manifest) Size() int64 { return m.size }

// PieceLength is a power of two from [MinPieceLength] to [MaxPieceLength].
func (m *Manifest) PieceLength() int { return m.pieceLength }

// NumPieces may be 0: a content of empty files.
func (m *Manifest) NumPieces() int { return len(m.hashes) }

// Files lists the files in piece order, which is the order of names' bytes
// within each folder; the caller must not change it. Paths do not begin with
// the folder's name.
func (m *Manifest) Files() []File { return m.files }

// Locate says which file (an index into Files) piece i belongs to and where
// in that file it starts. It panics where i is out of range.
func (m *Manifest) Locate(i int) (file int, offset int64) {
	m.check(i)
	// The last file that starts at or before i is never an empty one: that
	// one has the number of the file after it.
	file = sort.Search(len(m.files), func(f int) bool { return m.files[f].FirstPiece > i }) - 1
	return file, int64(i-m.files[file].FirstPiece) * int64(m.pieceLength)
}

// PieceSize is the length of piece i in bytes. It panics where i is out of
// range.
func (m *Manifest) PieceSize(i int) int {
	file, offset := m.Locate(i)
	return int(min(int64(m.pieceLength), m.files[file].Length-offset))
}

// VerifyPiece reports whether data is piece i; false where i is out of range.
// It does not allocate.
func (m *Manifest) VerifyPiece(i int, data []byte) bool {
	if uint(i) >= uint(len(m.hashes)) {
		return false
	}
	file, offset := m.Locate(i)
	length := m.files[file].Length
	if int64(len(data)) != min(int64(m.pieceLength), length-offset) {
		return false
	}
	return blockTreeRoot(data, pieceHeight(length, m.pieceLength)) == m.hashes[i]
}

// pieceHeight is the height of the hash tree over one piece of a file of the
// given length. The tree of a file no longer than a piece is as small as its
// own blocks allow; a longer file's last piece is filled up to the piece
// length (BEP 52 "pieces root", "piece layers").
func pieceHeight(length int64, pieceLength int) int {
	return treeHeight(numBlocks(min(length, int64(pieceLength))))
}

func (m *Manifest) check(i int) {
	if uint(i) >= uint(len(m.hashes)) {
		panic(fmt.Sprintf("shoal: piece %d of %d", i, len(m.hashes)))
	}
}

func numBlocks(length int64) int64 { return ceilDiv(length, blockSize) }

// ceilDiv is a/b rounded up, for a ≥ 0; it does not overflow.
func ceilDiv(a, b int64) int64 {
	q := a / b
	if a%b != 0 {
		q++
	}
	return q
}

// checkPieceLength says why n cannot be a piece length.
func checkPieceLength(n int64) error {
	if n < MinPieceLength || n > MaxPieceLength || bits.OnesCount64(uint64(n)) != 1 {
		return fmt.Errorf("piece length %d: want a power of two from %d to %d", n, MinPieceLength, MaxPieceLength)
	}
	return nil
}
