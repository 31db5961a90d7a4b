package uploads

import (
	"path"

	"github.com/shoal-cdn/shoal"
)

// layout says where chunks are: those of a manifest are its pieces.
type layout struct {
	m     *shoal.Manifest // nil for a single file in chunks
	name  string
	size  int64
	chunk int // bytes
	n     int
}

func layoutOf(m *shoal.Manifest) layout {
	return layout{m: m, name: m.Name(), size: m.Size(), chunk: m.PieceLength(), n: m.NumPieces()}
}

// at is where chunk k is; k is in range.
func (l layout) at(k int) (file int, offset int64, size int) {
	if l.m != nil {
		file, offset = l.m.Locate(k)
		return file, offset, l.m.PieceSize(k)
	}
	offset = int64(k) * int64(l.chunk)
	return 0, offset, int(min(int64(l.chunk), l.size-offset))
}

// files is how many there are.
func (l layout) files() int {
	if l.m != nil {
		return len(l.m.Files())
	}
	return 1
}

// file describes a file; its path is below the upload's folder.
func (l layout) file(i int) (name string, length int64, executable bool) {
	if l.m == nil {
		return path.Join(dataDir, l.name), l.size, false
	}
	f := l.m.Files()[i]
	if !l.m.IsFolder() {
		return path.Join(dataDir, f.Path), f.Length, f.Executable
	}
	return path.Join(dataDir, l.name, f.Path), f.Length, f.Executable
}

// chunksOf is which chunks a file has.
func (l layout) chunksOf(file int) (first, count int) {
	if l.m == nil {
		return 0, l.n
	}
	f := l.m.Files()[file]
	return f.FirstPiece, int((f.Length + int64(l.chunk) - 1) / int64(l.chunk))
}
