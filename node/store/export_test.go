package store

import "github.com/shoal-cdn/shoal"

var (
	EncodeBitmap        = encodeBitmap
	DecodeBitmap        = decodeBitmap
	DecodeJournal       = decodeJournal
	AppendJournalRecord = appendJournalRecord
)

// CheckRecord decodes a record and reports whether it claims a place.
func CheckRecord(b []byte) (dest, path string, err error) {
	r, err := decodeRecord(b)
	return r.Dest, r.Path, err
}

// OnDisk is what the bitmap on disk claims.
func OnDisk(d *Disk, m *shoal.Manifest) (*shoal.PieceSet, error) {
	b, err := d.readState(m.ID(), extBitmap)
	if err != nil {
		return nil, err
	}
	return decodeBitmap(m.ID(), m.NumPieces(), b)
}

// StopHashing makes verification of a content end, as Close does first, once it has hashed
// n pieces and a flush that is due by then is done.
func StopHashing(d *Disk, n int) {
	d.hashed = func(c *content) {
		if n--; n != 0 {
			return
		}
		c.mu.Lock()
		due := c.timer != nil
		c.mu.Unlock()
		if due {
			c.flushUnasked()
		}
		d.stop()
	}
}

// PublishWith publishes a content, and calls between when all is synced and nothing moved.
func PublishWith(c Content, between func()) error {
	h := c.(*handle)
	times, err := h.readyToPublish()
	if err != nil {
		return err
	}
	between()
	return h.moveToDest(times)
}

// DoubtPartial does with an open content what opening it does; the caller is its only user.
func DoubtPartial(c Content) error {
	h := c.(*handle)
	return h.doubtPartial(shoal.NewPieceSet(h.m.NumPieces()))
}

// FileTimes says whether the content's files can be told from missing ones.
func FileTimes(c Content) error {
	_, err := c.(*handle).fileTimes()
	return err
}
