package store

import (
	"io/fs"
	"math"

	"github.com/shoal-cdn/shoal"
)

// noTime is the time of a file that is missing or has the wrong size or type.
const noTime = math.MinInt64

// fileTimes returns every file's time of modification, or noTime.
func (c *content) fileTimes() ([]int64, error) {
	times := make([]int64, len(c.m.Files()))
	err := c.at.look(0, len(times), func(file int, info fs.FileInfo) error {
		times[file] = noTime
		if info != nil && fits(info, c.m.Files()[file]) {
			times[file] = info.ModTime().UnixNano()
		}
		return nil
	})
	return times, err
}

// confirmTimes takes the files' times before and after they were hashed: it records
// those of files that are right, and drops files that are missing or changed
// meanwhile. The caller has the content to itself.
func (c *content) confirmTimes(before, after []int64) error {
	held, changed := c.Pieces(), false
	c.emptyMissing = false
	for file, f := range c.m.Files() {
		now := after[file]
		switch {
		case now == noTime && f.Length == 0:
			c.emptyMissing = true
		case now == noTime || now != before[file]:
			c.dropFile(file)
		case now != c.rec.Mtimes[file] && hasFile(c.m, held, file):
			c.rec.Mtimes[file], changed = now, true
		}
	}
	if !changed {
		return nil
	}
	return c.d.writeRecord(c.id, c.rec)
}

func hasFile(m *shoal.Manifest, held *shoal.PieceSet, file int) bool {
	first, n := piecesOf(m, file)
	for i := range n {
		if !held.Has(first + i) {
			return false
		}
	}
	return true
}
