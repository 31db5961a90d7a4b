package uploads

import (
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/ingest/api"
)

// Write verifies chunk k and stores it, so that it can be read and the next Sync makes
// it durable. It keeps no reference to data. Writing what is there does no harm, and of an upload that is
// complete nothing is written, nor need it be looked at. Of
// an upload that is [Upload.Undigested] the caller has verified data against the request's digest.
//
// [shoal.ErrInvalid] where it has another length, [shoal.ErrCorrupt] where it does not verify,
// [shoal.ErrConflict] where other bytes are there that verified as well, [ErrFull] where there is no room.
func (u *Upload) Write(k int, data []byte) error {
	err := u.check(k, data)
	if err == nil {
		err = u.put(k, data)
	}
	if err != nil {
		return fmt.Errorf("chunk %d of upload %s: %w", k, u.rec.Task, err)
	}
	return nil
}

// WriteVerified is Write for a piece that has been verified.
func (u *Upload) WriteVerified(k int, data []byte) error {
	if size, ok := u.ChunkSize(k); !ok || size != len(data) {
		return fmt.Errorf("chunk %d of upload %s: %w: no such chunk", k, u.rec.Task, shoal.ErrInvalid)
	}
	if err := u.put(k, data); err != nil {
		return fmt.Errorf("chunk %d of upload %s: %w", k, u.rec.Task, err)
	}
	return nil
}

func (u *Upload) check(k int, data []byte) error {
	size, ok := u.ChunkSize(k)
	switch {
	case !ok:
		return fmt.Errorf("%w: there are %d", shoal.ErrInvalid, u.chunks.n)
	case len(data) != size:
		return fmt.Errorf("%w: %d bytes, want %d", shoal.ErrInvalid, len(data), size)
	case !u.fits(k, data):
		return fmt.Errorf("%w: it is not what the description says", shoal.ErrCorrupt)
	}
	return nil
}

// fits reports whether data can be chunk k by the description.
func (u *Upload) fits(k int, data []byte) bool {
	switch {
	case u.chunks.m != nil:
		return u.chunks.m.VerifyPiece(k, data)
	case u.digested:
		u.mu.Lock()
		digests := u.digests
		u.mu.Unlock()
		return digests == nil || sha256.Sum256(data) == digests[k]
	}
	return true
}

func (u *Upload) put(k int, data []byte) error {
	var digest api.Digest
	if u.undigested() {
		digest = sha256.Sum256(data)
	}
	lock := &u.writing[k%len(u.writing)]
	lock.Lock()
	defer lock.Unlock()
	if there, err := u.there(k, digest); there || err != nil {
		return err
	}
	if err := u.store.Room(int64(len(data))); err != nil {
		return err
	}
	file, offset, _ := u.chunks.at(k)
	f, release, err := u.store.files.acquire(fileKey{u, file})
	if err != nil {
		return room(err)
	}
	defer release()
	if _, err := f.WriteAt(data, offset); err != nil {
		return room(gone(u.rec.Task, err))
	}
	u.wrote(k, file, len(data), digest)
	return nil
}

// there reports whether chunk k needs not be written.
func (u *Upload) there(k int, digest api.Digest) (bool, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case u.ended != nil:
		return false, u.ended
	case u.complete():
		return true, nil
	case !u.held.Has(k):
		return false, nil
	case u.undigested():
		was, ok := u.fresh[k]
		if !ok {
			was = u.ledger.digests[k]
		}
		if was != digest {
			return false, fmt.Errorf("%w: other bytes were sent for it before; has the file changed?", shoal.ErrConflict)
		}
	}
	return true, nil
}

// wrote makes chunk k readable, and sees to it that it becomes durable.
func (u *Upload) wrote(k, file, n int, digest api.Digest) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.complete() { // meanwhile: these are the bytes that were verified
		return
	}
	u.held.Add(k)
	if u.chunks.m != nil {
		u.proven.Add(k)
	}
	u.fresh[k] = digest
	if u.next == nil {
		u.next = &batch{files: make(map[int]struct{}), done: make(chan struct{})}
		u.next.timer = time.AfterFunc(commitAfter, u.commitUnasked)
	}
	b := u.next
	b.chunks = append(b.chunks, k)
	b.files[file] = struct{}{}
	b.bytes += int64(n)
	if b.bytes >= commitBytes {
		b.asked = true
		u.startCommit()
	}
}
