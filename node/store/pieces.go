package store

import (
	"iter"
	"path"

	"github.com/shoal-cdn/shoal"
)

// piecesOf returns the first piece of a file and how many it has.
func piecesOf(m *shoal.Manifest, file int) (first, n int) {
	f, length := m.Files()[file], int64(m.PieceLength())
	return f.FirstPiece, int((f.Length + length - 1) / length)
}

// parents yields the folders on the way to a slash-separated relative path,
// the deepest first, "." last.
func parents(name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for dir := path.Dir(name); yield(dir) && dir != "."; {
			dir = path.Dir(dir)
		}
	}
}
