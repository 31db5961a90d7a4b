package leases

import (
	"sort"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// Content is what the planner has to know of one. It is immutable.
type Content struct {
	id          shoal.ContentID
	size        int64 // bytes
	pieces      int
	pieceLength int64
	webSeeds    []string    // URLs, the one to be preferred first
	short       []shortfall // ascending
}

// shortfall says by how many bytes the pieces through one fall short of the
// piece length; it is recorded where that changes: at files' last pieces.
type shortfall struct {
	piece int
	bytes int64
}

// NewContent describes the content of m. It keeps only m's web seeds.
func NewContent(m *shoal.Manifest) *Content {
	c := &Content{
		id: m.ID(), size: m.Size(), pieces: m.NumPieces(), pieceLength: int64(m.PieceLength()),
		webSeeds: m.WebSeeds(),
	}
	var short int64
	for _, f := range m.Files() {
		n := (f.Length + c.pieceLength - 1) / c.pieceLength
		if missing := n*c.pieceLength - f.Length; missing > 0 {
			short += missing
			c.short = append(c.short, shortfall{f.FirstPiece + int(n) - 1, short})
		}
	}
	return c
}

// bytes is the size of a run of pieces.
func (c *Content) bytes(r api.Run) int64 {
	return int64(r.Count)*c.pieceLength - c.before(r.First+r.Count) + c.before(r.First)
}

// before is the shortfall of all pieces before one.
func (c *Content) before(piece int) int64 {
	i := sort.Search(len(c.short), func(i int) bool { return c.short[i].piece >= piece })
	if i == 0 {
		return 0
	}
	return c.short[i-1].bytes
}

func (c *Content) bytesOf(runs []api.Run) (n int64) {
	for _, r := range runs {
		n += c.bytes(r)
	}
	return n
}
