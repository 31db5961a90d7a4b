package store

import (
	"errors"
	"path"

	"github.com/shoal-cdn/shoal"
)

// load finds out where the content's data is and which pieces of it are
// there. Nobody else uses the content yet.
func (c *content) load() error {
	if c.rec.Published && exists(c.d.root, c.partialData()) {
		// The process ended between writing the record and the rename.
		c.rec.Published, c.rec.Mtimes = false, nil
	}
	journal, whole := c.readJournal() // before enter creates one
	if err := c.enter(); err != nil {
		return err
	}
	suspect := shoal.NewPieceSet(c.m.NumPieces())
	switch {
	case !c.believeBitmap():
		suspect = shoal.FullPieceSet(c.m.NumPieces())
	case c.at.writable && !whole:
		c.d.cfg.Log.Warn("unreadable journal", "content", c.id)
		journal = shoal.FullPieceSet(c.m.NumPieces())
		fallthrough
	case c.at.writable:
		for piece := range journal.AndNot(c.held) {
			suspect.Add(piece)
		}
	}
	var before []int64
	var err error
	if c.at.writable {
		err = c.doubtPartial(suspect)
	} else if before, err = c.fileTimes(); err == nil {
		c.doubtComplete(suspect, before)
	}
	if err != nil {
		return err
	}
	if suspect.Count() > 0 {
		c.d.cfg.Log.Info("hashing data there is doubt about", "content", c.id, "pieces", suspect.Count())
	}
	var right []int
	err = c.verify(c.d.ctx, suspect, func(piece int, _, ok bool) {
		if ok {
			right = append(right, piece)
		}
	})
	if err != nil {
		return err
	}
	c.found(right...) // not before: by a bitmap saved meanwhile, what is yet to be hashed would be missing
	if before != nil {
		after, failed := c.fileTimes()
		if failed != nil {
			return failed
		}
		err = c.confirmTimes(before, after)
	}
	c.settle(errors.Join(err, c.flush()))
	return nil
}

// settle empties the journal once the bitmap has taken over. Where that
// failed, say on a full disk, what is held can still be read.
func (c *content) settle(err error) {
	if err == nil && c.journal != nil {
		err = c.journal.reset()
	}
	if err != nil {
		c.d.cfg.Log.Warn("state could not be brought up to date", "content", c.id, "err", err)
	}
}

// partialData exists as long as the content has not been moved to its
// destination.
func (c *content) partialData() string {
	dir := c.d.partialPath(c.id)
	if c.m.IsFolder() {
		return dir
	}
	return path.Join(dir, c.m.Files()[0].Path)
}
