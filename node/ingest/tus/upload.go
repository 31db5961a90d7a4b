package tus

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path"

	"github.com/tus/tusd/v2/pkg/handler"

	"github.com/shoal-cdn/shoal/internal/durable"
	"github.com/shoal-cdn/shoal/node/ingest/uploads"
)

// upload is one upload as tusd sees it. tusd uses it under a lock.
type upload struct {
	d    *data
	dir  string
	info handler.FileInfo
	received
}

func (u *upload) at(name string) string { return path.Join(u.dir, name) }

func (u *upload) read(name string) ([]byte, error) {
	f, err := u.d.root.Open(u.at(name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxInfo))
}

// loadInfo reads all but how many bytes there are.
func (u *upload) loadInfo() error {
	b, err := u.read(infoFile)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, &u.info)
}

// create makes the upload's folder. Its information comes last: without it there is no upload.
func (u *upload) create() error {
	b, err := json.Marshal(u.info)
	if err != nil {
		return err
	}
	if err := u.d.root.MkdirAll(u.dir, 0o755); err != nil {
		return err
	}
	return errors.Join(u.begin(), u.d.root.WriteFile(u.at(dataFile), nil, 0o644),
		durable.Replace(u.d.root, u.at(infoFile), u.at(infoFile+tempSuffix), b, 0o644))
}

// remove deletes the upload, its information first, and gives back what it had reserved.
func (u *upload) remove() error {
	_ = u.d.root.Remove(u.at(infoFile)) // else what follows fails too
	return errors.Join(u.d.root.RemoveAll(u.dir), u.d.store.Unreserve(u.info.ID))
}

// WriteChunk implements [handler.Upload].
func (u *upload) WriteChunk(ctx context.Context, offset int64, src io.Reader) (int64, error) {
	f, err := u.d.root.OpenFile(u.at(dataFile), os.O_WRONLY, 0)
	if err != nil {
		return 0, refusal(err)
	}
	defer f.Close()
	sum := checksumOf(ctx)
	if sum != nil {
		src = io.TeeReader(src, sum.hash)
	}
	to := summing{io.NewOffsetWriter(f, offset), &u.sum}
	var written int64
	for {
		if err := u.d.store.Room(min(saveEvery, max(0, u.info.Size-offset-written))); err != nil {
			return written, refusal(err)
		}
		n, err := io.CopyN(to, src, saveEvery)
		if sum == nil && n > 0 {
			if err := u.save(f, offset+written+n); err != nil {
				return written, refusal(err)
			}
		}
		written += n
		switch {
		case errors.Is(err, io.EOF) && sum == nil:
			return written, nil
		case errors.Is(err, io.EOF):
			return u.check(f, sum, offset, written)
		case err != nil:
			return written, refusal(err)
		}
	}
}

// check keeps what was written if it has the checksum that came with it, else nothing of it.
func (u *upload) check(f *os.File, sum *checksum, offset, written int64) (int64, error) {
	if !sum.fits() {
		return 0, errChecksum
	}
	if err := u.save(f, offset+written); err != nil {
		return 0, refusal(err)
	}
	return written, nil
}

// GetInfo implements [handler.Upload].
func (u *upload) GetInfo(context.Context) (handler.FileInfo, error) { return u.info, nil }

// GetReader implements [handler.Upload]. Contents are read elsewhere.
func (u *upload) GetReader(context.Context) (io.ReadCloser, error) { return nil, handler.ErrNotFound }

// FinishUpload implements [handler.Upload]. It goes on when the client does not wait: nobody would ask again.
func (u *upload) FinishUpload(context.Context) error {
	if u.info.IsPartial {
		return nil
	}
	return refusal(u.finish())
}

// finish makes a whole upload one like any other. One that holds other bytes than were sent begins anew; a concatenation
// is removed, as it takes no bytes: its parts are joined again.
func (u *upload) finish() error {
	err := u.d.finish(u.d.ctx, u.info, u.sum)
	switch {
	case !errors.Is(err, uploads.ErrMixed):
		return err
	case u.info.IsFinal:
		return errors.Join(err, u.remove())
	default:
		return errors.Join(err, u.beginAnew())
	}
}

// Terminate implements [handler.TerminatableUpload].
func (u *upload) Terminate(context.Context) error { return u.remove() }
