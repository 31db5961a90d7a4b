package uploads

import (
	"fmt"
	"os"

	"github.com/shoal-cdn/shoal"
)

// ReadAt fills p with the bytes at off within a piece of the content, for an upload whose
// manifest is known. What this process has not hashed, since another wrote it or
// it has been changed since, is hashed first. ErrNotFound where the piece is
// not here, ErrChanged where it turned out not to be what it was.
func (u *Upload) ReadAt(p []byte, piece int, off int64) error {
	if err := u.readAt(p, piece, off); err != nil {
		return fmt.Errorf("read piece %d of upload %s: %w", piece, u.rec.Task, err)
	}
	return nil
}

func (u *Upload) readAt(p []byte, piece int, off int64) error {
	u.mu.Lock()
	m, ended := u.manifest, u.ended
	u.mu.Unlock()
	switch {
	case ended != nil:
		return ended
	case m == nil || uint(piece) >= uint(m.NumPieces()) || off < 0 || off > int64(m.PieceSize(piece)-len(p)):
		return fmt.Errorf("%w: no such range", shoal.ErrInvalid)
	}
	file, start := m.Locate(piece)
	f, release, err := u.store.files.acquire(fileKey{u, file})
	if err != nil {
		return gone(u.rec.Task, err)
	}
	defer release()
	held, proven, err := u.state(f, file, piece)
	if err != nil {
		return err
	}
	if !held {
		return shoal.ErrNotFound
	}
	if !proven {
		if err := u.prove(f, m, piece); err != nil {
			return err
		}
	}
	_, err = f.ReadAt(p, start+off)
	return gone(u.rec.Task, err)
}

// state says whether a piece is here, and whether it was hashed since its file was last changed.
func (u *Upload) state(f *os.File, file, piece int) (held, proven bool, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.complete() {
		info, err := f.Stat()
		if err != nil {
			return false, false, err
		}
		if at := info.ModTime().UnixNano(); at != u.times[file] {
			u.times[file] = at
			first, n := layoutOf(u.manifest).chunksOf(file)
			for i := range n {
				u.proven.Remove(first + i)
			}
		}
	}
	return u.pieces.Has(piece), u.proven.Has(piece), nil
}

// prove hashes a piece on disk.
func (u *Upload) prove(f *os.File, m *shoal.Manifest, piece int) error {
	_, start := m.Locate(piece)
	data := make([]byte, m.PieceSize(piece))
	if _, err := f.ReadAt(data, start); err != nil {
		return err
	}
	ok := m.VerifyPiece(piece, data)
	u.mu.Lock()
	defer u.mu.Unlock()
	if !ok {
		u.pieces.Remove(piece)
		return fmt.Errorf("%w", shoal.ErrChanged)
	}
	u.proven.Add(piece)
	return nil
}

// ReadPiece reads a whole piece as it is on disk now, written by whatever process.
// It is not verified.
func (u *Upload) ReadPiece(piece int) ([]byte, error) {
	size, ok := u.ChunkSize(piece)
	if !ok {
		return nil, fmt.Errorf("%w: no such piece", shoal.ErrInvalid)
	}
	file, start, _ := u.chunks.at(piece)
	data := make([]byte, size)
	f, release, err := u.store.files.acquire(fileKey{u, file})
	if err != nil {
		return nil, gone(u.rec.Task, err)
	}
	defer release()
	if _, err := f.ReadAt(data, start); err != nil {
		return nil, gone(u.rec.Task, err)
	}
	return data, nil
}
