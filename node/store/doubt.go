package store

import (
	"errors"
	"io/fs"

	"github.com/shoal-cdn/shoal"
)

// believeBitmap sets what is held to what the bitmap claims, and reports
// whether it could be read.
func (c *content) believeBitmap() bool {
	b, err := c.d.readState(c.id, extBitmap)
	if err == nil {
		var held *shoal.PieceSet
		if held, err = decodeBitmap(c.id, c.m.NumPieces(), b); err == nil {
			c.held, c.durable = held, held.Clone()
			return true
		}
	}
	if !errors.Is(err, fs.ErrNotExist) {
		c.d.cfg.Log.Warn("unreadable bitmap", "content", c.id, "err", err)
	}
	c.changed = true
	return false
}

// readJournal returns the pieces in the journal; whole is false where there
// may have been others.
func (c *content) readJournal() (pieces *shoal.PieceSet, whole bool) {
	b, err := c.d.readState(c.id, extJournal)
	pieces, whole = decodeJournal(c.id, c.m.NumPieces(), b)
	return pieces, whole && err == nil
}

// doubtPartial takes back claims that the files' sizes rule out: somebody has
// been at the partial folder, or the file system lost data. After an error nothing
// is known about the files it has not come to.
func (c *content) doubtPartial(suspect *shoal.PieceSet) error {
	return c.at.look(0, len(c.m.Files()), func(file int, info fs.FileInfo) error {
		f, there := c.m.Files()[file], info != nil && info.Mode().IsRegular()
		first, n := piecesOf(c.m, file)
		end := int64(0) // of the last piece held
		for i := range n {
			if c.held.Has(first + i) {
				end = min(int64(i+1)*int64(c.m.PieceLength()), f.Length)
			}
		}
		switch {
		case !there:
			c.doubtFile(file, nil)
			for i := range n {
				suspect.Remove(first + i)
			}
		case info.Size() < end:
			c.doubtFile(file, suspect)
		}
		return nil
	})
}

// doubtComplete takes back claims on files of a content in place or published
// that are not what they were when they were complete. Files that were not
// all right last time are hashed again: a disk may be back.
func (c *content) doubtComplete(suspect *shoal.PieceSet, times []int64) {
	known := len(c.rec.Mtimes) == len(times)
	for file := range c.m.Files() {
		if !known || times[file] == noTime || times[file] != c.rec.Mtimes[file] || !hasFile(c.m, c.held, file) {
			c.doubtFile(file, suspect)
		}
	}
	if !known {
		c.rec.Mtimes = make([]int64, len(times))
		for i := range c.rec.Mtimes {
			c.rec.Mtimes[i] = noTime
		}
	}
}

// doubtFile takes back what is held of a file, and adds its pieces to suspect
// unless that is nil.
func (c *content) doubtFile(file int, suspect *shoal.PieceSet) {
	first, n := piecesOf(c.m, file)
	for piece := first; piece < first+n; piece++ {
		if c.held.Remove(piece) {
			c.changed = true
		}
		if suspect != nil {
			suspect.Add(piece)
		}
	}
}
