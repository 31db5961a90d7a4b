package tus

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/tus/tusd/v2/pkg/handler"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/internal/durable"
	"github.com/shoal-cdn/shoal/node/ingest/uploads"
)

// errElsewhere is the answer where another server has taken bytes of the upload meanwhile.
var errElsewhere = handler.NewError("ERR_ELSEWHERE", "another server takes bytes of this upload: ask for the offset again", http.StatusConflict)

// received is the bytes that an upload has, as a version of its offset tells.
type received struct {
	sum     uploads.Sum // of all that were written, which may be more than are durable
	version uint64      // of the offset, that was read or written last
}

func encodeOffset(n int64, sum uploads.Sum) []byte { return fmt.Appendf(nil, "%d %v", n, sum) }

// decodeOffset reads what encodeOffset has made.
func decodeOffset(b []byte) (n int64, sum uploads.Sum, err error) {
	number, rest, _ := strings.Cut(string(b), " ")
	n, err = strconv.ParseInt(number, 10, 64)
	if err == nil {
		sum, err = uploads.ParseSum(rest)
	}
	if err != nil || n < 0 {
		return 0, uploads.Sum{}, fmt.Errorf("offset: %w", shoal.ErrCorrupt)
	}
	return n, sum, nil
}

func offsetName(version uint64) string { return offsetPrefix + strconv.FormatUint(version, 10) }

// versions are those of the offset that are there, the newest apart; [fs.ErrNotExist] where there is none.
func (u *upload) versions() (newest uint64, older []uint64, err error) {
	entries, err := fs.ReadDir(u.d.root.FS(), u.dir)
	if err != nil {
		return 0, nil, err
	}
	for _, e := range entries {
		number, ok := strings.CutPrefix(e.Name(), offsetPrefix)
		v, err := strconv.ParseUint(number, 10, 64)
		switch {
		case !ok || err != nil || v == 0 || v == newest:
		case v < newest:
			older = append(older, v)
		default:
			if newest > 0 {
				older = append(older, newest)
			}
			newest = v
		}
	}
	if newest == 0 {
		return 0, nil, fmt.Errorf("offset: %w", fs.ErrNotExist)
	}
	return newest, older, nil
}

// The newest version is looked for so often while others replace it, with so long a pause, which grows each time by as
// much: the list of a folder that changes need not have what comes or goes meanwhile.
const (
	loadTries = 10
	loadPause = 5 * time.Millisecond
)

// vanished says whether a file is not there, or has gone from NFS since it was looked up.
func vanished(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESTALE)
}

// load reads how many bytes are durable.
func (u *upload) load(ctx context.Context) (err error) {
	var b []byte
	for try := 1; ; try++ {
		if u.version, _, err = u.versions(); err == nil {
			b, err = u.read(offsetName(u.version))
		}
		if !vanished(err) || try == loadTries {
			break
		}
		select {
		case <-time.After(time.Duration(try) * loadPause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if err != nil {
		return err
	}
	u.info.Offset, u.sum, err = decodeOffset(b)
	if err == nil && u.info.Offset > u.info.Size {
		err = fmt.Errorf("offset: %w", shoal.ErrCorrupt)
	}
	return err
}

// put makes the next version of the offset, durably; errElsewhere where another server has made that one before, or a later
// one. The newest version is never removed: so after nil this one was the newest when it was made, and no server
// goes on from an older one.
func (u *upload) put(n int64, sum uploads.Sum) error {
	next := u.version + 1
	temp := u.at(rand.Text() + tempSuffix)
	err := durable.Create(u.d.root, u.at(offsetName(next)), temp, encodeOffset(n, sum), 0o644)
	if errors.Is(err, fs.ErrExist) {
		return errElsewhere
	}
	if err != nil {
		return err
	}
	newest, older, err := u.versions()
	if err != nil {
		return err
	}
	for _, v := range older {
		if v+1 < newest { // the one before is for those who read the folder just now
			_ = u.d.root.Remove(u.at(offsetName(v))) // what stays is removed with the next
		}
	}
	if newest != next {
		return errElsewhere
	}
	u.info.Offset, u.sum, u.version = n, sum, next
	return nil
}

// begin makes it an upload that has no bytes.
func (u *upload) begin() error { return u.put(0, uploads.Sum{}) }

// beginAnew has an upload that holds other bytes than were sent begin anew. It does nothing where the offset is not as it was
// when that was found: what is there now was sent since, to another server or past the lock that tusd holds.
func (u *upload) beginAnew() error {
	if err := u.begin(); !errors.Is(err, errElsewhere) {
		return err
	}
	return nil
}

// save makes the first n bytes, which are all that were written, durable, unless another server has saved some meanwhile: errElsewhere.
func (u *upload) save(f *os.File, n int64) error {
	if err := f.Sync(); err != nil {
		return err
	}
	return u.put(n, u.sum)
}

// summing writes, and has sum know what was written.
type summing struct {
	to  io.Writer
	sum *uploads.Sum
}

// Write implements [io.Writer].
func (s summing) Write(p []byte) (int, error) {
	n, err := s.to.Write(p)
	_, _ = s.sum.Write(p[:n])
	return n, err
}
