package tus

import (
	"bytes"
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/tus/tusd/v2/pkg/handler"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/ingest/api"
)

// errElsewhere is the answer where another server has taken bytes of the upload meanwhile.
var errElsewhere = handler.NewError("ERR_ELSEWHERE", "another server takes bytes of this upload: ask for the offset again", http.StatusConflict)

// received is the bytes that an upload has, as the file offset tells.
type received struct {
	sum   hash.Hash // SHA-256 of all that were written, which may be more than are durable
	saved []byte    // what the file holds as far as is known
}

func encodeOffset(n int64, sum hash.Hash) ([]byte, error) {
	state, err := sum.(encoding.BinaryMarshaler).MarshalBinary()
	return fmt.Appendf(nil, "%d %x", n, state), err
}

// decodeOffset reads what encodeOffset has made.
func decodeOffset(b []byte) (n int64, sum hash.Hash, err error) {
	number, state, _ := strings.Cut(string(b), " ")
	n, err = strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 {
		return 0, nil, fmt.Errorf("offset: %w", shoal.ErrCorrupt)
	}
	raw, err := hex.DecodeString(state)
	if err == nil {
		sum = sha256.New()
		err = sum.(encoding.BinaryUnmarshaler).UnmarshalBinary(raw)
	}
	if err != nil {
		return 0, nil, fmt.Errorf("offset: %w: %w", shoal.ErrCorrupt, err)
	}
	return n, sum, nil
}

// load reads how many bytes are durable.
func (u *upload) load() error {
	b, err := u.read(offsetFile)
	if err != nil {
		return err
	}
	n, sum, err := decodeOffset(b)
	if err == nil && n > u.info.Size {
		err = fmt.Errorf("offset: %w", shoal.ErrCorrupt)
	}
	if err != nil {
		return err
	}
	u.info.Offset, u.sum, u.saved = n, sum, b
	return nil
}

// begin makes it an upload that has no bytes.
func (u *upload) begin() error {
	none := sha256.New()
	b, err := encodeOffset(0, none)
	if err == nil {
		err = u.replace(offsetFile, b)
	}
	if err == nil {
		u.info.Offset, u.sum, u.saved = 0, none, b
	}
	return err
}

// beginAnew has an upload that holds other bytes than were sent begin anew. It does nothing where the offset is not as it was
// when that was found: what is there now was sent since, to another server or past the lock that tusd holds.
func (u *upload) beginAnew() error {
	if same, err := u.unchanged(); err != nil || !same {
		return err
	}
	return u.begin()
}

// unchanged tells whether the file offset is as this upload knows it.
func (u *upload) unchanged() (bool, error) {
	now, err := u.read(offsetFile)
	return bytes.Equal(now, u.saved), err
}

// save makes the first n bytes, which are all that were written, durable, unless another server has saved some meanwhile: errElsewhere. Two
// that save at the same moment may both succeed; that the file is not what was sent shows at the end.
func (u *upload) save(f *os.File, n int64) error {
	if err := f.Sync(); err != nil {
		return err
	}
	same, err := u.unchanged()
	if err != nil {
		return err
	}
	if !same {
		return errElsewhere
	}
	b, err := encodeOffset(n, u.sum)
	if err == nil {
		err = u.replace(offsetFile, b)
	}
	if err == nil {
		u.info.Offset, u.saved = n, b
	}
	return err
}

// digest is the SHA-256 of all that was written.
func (u *upload) digest() api.Digest { return api.Digest(u.sum.Sum(nil)) }

// summing writes, and has sum know what was written.
type summing struct {
	to  io.Writer
	sum hash.Hash
}

// Write implements [io.Writer].
func (s summing) Write(p []byte) (int, error) {
	n, err := s.to.Write(p)
	s.sum.Write(p[:n])
	return n, err
}
