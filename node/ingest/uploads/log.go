package uploads

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"

	"github.com/shoal-cdn/shoal/node/ingest/api"
)

const (
	logMagic   = "shoalup1"
	recordSize = 44
	lostBit    = 1 << 31
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// entry is one record of a log.
type entry struct {
	chunk  uint32
	epoch  uint32
	lost   bool
	digest api.Digest // of what was written, where the description has none
}

// appendEntry appends e's record.
func appendEntry(b []byte, key [sha256.Size]byte, e entry) []byte {
	epoch := e.epoch
	if e.lost {
		epoch |= lostBit
	}
	start := len(b)
	b = binary.BigEndian.AppendUint32(b, e.chunk)
	b = binary.BigEndian.AppendUint32(b, epoch)
	b = append(b, e.digest[:]...)
	return binary.BigEndian.AppendUint32(b, sum(key, b[start:]))
}

func sum(key [sha256.Size]byte, b []byte) uint32 {
	return crc32.Update(crc32.Checksum(key[:], castagnoli), castagnoli, b)
}

// decodeEntry reads a record; not ok where it is none of an upload with that key and so many chunks.
func decodeEntry(b []byte, key [sha256.Size]byte, chunks int) (e entry, ok bool) {
	if len(b) != recordSize || binary.BigEndian.Uint32(b[recordSize-4:]) != sum(key, b[:recordSize-4]) {
		return entry{}, false
	}
	epoch := binary.BigEndian.Uint32(b[4:])
	e = entry{chunk: binary.BigEndian.Uint32(b), epoch: epoch &^ lostBit, lost: epoch&lostBit != 0, digest: api.Digest(b[8:40])}
	return e, int64(e.chunk) < int64(chunks) && e.epoch > 0
}

// readLog hands the entries of a log from an offset on to take, and returns the
// offset behind the last one. Offset 0 is the log's begin. What does not decode is where it
// ends for now: its writer may be at it.
func readLog(r io.ReaderAt, offset int64, key [sha256.Size]byte, chunks int, take func(entry)) (int64, error) {
	in := bufio.NewReaderSize(io.NewSectionReader(r, offset, 1<<62-offset), 64<<10)
	var b [recordSize]byte
	if offset == 0 {
		if _, err := io.ReadFull(in, b[:len(logMagic)]); err != nil || string(b[:len(logMagic)]) != logMagic {
			return 0, ended(err)
		}
		offset = int64(len(logMagic))
	}
	for {
		if _, err := io.ReadFull(in, b[:]); err != nil {
			return offset, ended(err)
		}
		e, ok := decodeEntry(b[:], key, chunks)
		if !ok {
			return offset, nil
		}
		take(e)
		offset += recordSize
	}
}

func ended(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}
