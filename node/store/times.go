package store

import (
	"math"

	"github.com/shoal-cdn/shoal"
)

// noTime is the time of a file that is missing or has the wrong size or type.
const noTime = math.MinInt64

// fileTimes returns every file's time of modification, or noTime.
func (c *content) fileTimes() []int64 {
	times := make([]int64, len(c.m.Files()))
	for file, info := range c.at.look(0, len(times)) {
		times[file] = noTime
		if info != nil && fits(info, c.m.Files()[file]) {
			times[file] = info.ModTime().UnixNano()
		}
	}
	return times
}

// confirmTimes is called after files have been hashed: it records the times
// of those that are right, and drops those that are missing or changed since
// before. The caller has the content to itself.
func (c *content) confirmTimes(before []int64) error {
	held, changed := c.Pieces(), false
	c.emptyMissing = false
	times := c.fileTimes()
	for file, f := range c.m.Files() {
		now := times[file]
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
