package store

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"

	"github.com/shoal-cdn/shoal"
)

const journalRecordLen = 8 // bytes

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// journal appends to state/<id>.journal. It is safe for concurrent use: a
// record is one append, which the kernel keeps whole.
type journal struct {
	f  *os.File
	id shoal.ContentID
}

func (d *Disk) openJournal(id shoal.ContentID) (*journal, error) {
	f, err := d.root.OpenFile(d.statePath(id, extJournal), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("journal of %s: %w", id.Short(), err)
	}
	return &journal{f: f, id: id}, nil
}

// append records that a piece's data has been written. It is not durable; it
// only has to outlive this process.
func (j *journal) append(piece int) error {
	_, err := j.f.Write(appendJournalRecord(make([]byte, 0, journalRecordLen), j.id, piece))
	return err
}

// reset empties the journal; the bitmap has taken over.
func (j *journal) reset() error { return j.f.Truncate(0) }

func (j *journal) close() error { return j.f.Close() }

func appendJournalRecord(b []byte, id shoal.ContentID, piece int) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(piece))
	return binary.BigEndian.AppendUint32(b, journalSum(id, b[len(b)-4:]))
}

func journalSum(id shoal.ContentID, number []byte) uint32 {
	return crc32.Update(crc32.Checksum(id[:], castagnoli), castagnoli, number)
}

// decodeJournal reads a journal of a content with n pieces. whole is false
// where anything in it is not a record, so that pieces may be missing from the
// set; a record that is torn or out of place makes all after it so.
func decodeJournal(id shoal.ContentID, n int, b []byte) (pieces *shoal.PieceSet, whole bool) {
	pieces = shoal.NewPieceSet(n)
	for len(b) >= journalRecordLen {
		piece := binary.BigEndian.Uint32(b)
		if binary.BigEndian.Uint32(b[4:]) != journalSum(id, b[:4]) || uint64(piece) >= uint64(n) {
			return pieces, false
		}
		pieces.Add(int(piece))
		b = b[journalRecordLen:]
	}
	return pieces, len(b) == 0
}
