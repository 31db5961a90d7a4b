package tus

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/tus/tusd/v2/pkg/handler"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/ingest/uploads"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

const (
	folder     = ".tus"
	infoFile   = "info.json"
	offsetFile = "offset"
	dataFile   = "data"

	saveEvery = 16 << 20 // bytes, after which the offset is made durable within a request
	maxInfo   = 1 << 20  // bytes of info.json
)

// data is tusd's data store.
type data struct {
	store  *uploads.Store
	root   *os.Root
	ctx    context.Context // what goes on longer than a request may ends with it
	finish func(ctx context.Context, id string, info handler.FileInfo) error
}

var (
	_ handler.DataStore           = (*data)(nil)
	_ handler.TerminaterDataStore = (*data)(nil)
	_ handler.ConcaterDataStore   = (*data)(nil)
)

// NewUpload implements [handler.DataStore].
func (d *data) NewUpload(_ context.Context, info handler.FileInfo) (handler.Upload, error) {
	if _, err := shoal.NewFileHasher(nameOf(info)); err != nil && !info.IsPartial {
		return nil, refusal(err)
	}
	if _, err := distributeOf(info); err != nil {
		return nil, refusal(err)
	}
	if err := d.store.Admit(info.Size); err != nil {
		return nil, refusal(err)
	}
	info.ID = strings.ToLower(rand.Text())
	info.Offset = 0
	info.Storage = nil
	b, err := json.Marshal(info)
	if err != nil {
		return nil, err
	}
	dir := path.Join(folder, info.ID)
	if err := d.root.MkdirAll(dir, 0o755); err != nil {
		return nil, refusal(err)
	}
	u := &upload{d: d, dir: dir, info: info}
	err = errors.Join(u.replace(offsetFile, []byte("0")), d.root.WriteFile(u.at(dataFile), nil, 0o644), u.replace(infoFile, b))
	if err != nil {
		return nil, refusal(errors.Join(err, d.root.RemoveAll(dir)))
	}
	return u, nil
}

// GetUpload implements [handler.DataStore].
func (d *data) GetUpload(_ context.Context, id string) (handler.Upload, error) {
	if tapi.CheckTaskID(id) != nil {
		return nil, handler.ErrNotFound
	}
	u := &upload{d: d, dir: path.Join(folder, id)}
	b, err := u.read(infoFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, handler.ErrNotFound
	}
	if err == nil {
		err = json.Unmarshal(b, &u.info)
	}
	if err == nil {
		u.info.Offset, err = u.offset()
	}
	if err != nil {
		return nil, fmt.Errorf("tus upload %s: %w", id, err)
	}
	return u, nil
}

// AsTerminatableUpload implements [handler.TerminaterDataStore].
func (d *data) AsTerminatableUpload(u handler.Upload) handler.TerminatableUpload { return u.(*upload) }

// AsConcatableUpload implements [handler.ConcaterDataStore].
func (d *data) AsConcatableUpload(u handler.Upload) handler.ConcatableUpload { return u.(*upload) }

// resume finishes what was whole when the process ended.
func (d *data) resume(ctx context.Context) error {
	entries, err := fs.ReadDir(d.root.FS(), folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		found, errGet := d.GetUpload(ctx, e.Name())
		if errGet != nil {
			continue // it is swept some day
		}
		u := found.(*upload)
		if _, missing := d.root.Lstat(u.at(dataFile)); missing != nil || u.info.Offset != u.info.Size || u.info.IsPartial {
			continue
		}
		err = errors.Join(err, d.finish(ctx, u.info.ID, u.info))
	}
	return err
}

// sweep removes what has made no progress for too long, and what was finished as long ago.
func (d *data) sweep(now time.Time, idle time.Duration) error {
	entries, err := fs.ReadDir(d.root.FS(), folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		dir := path.Join(folder, e.Name())
		info, err := d.root.Lstat(path.Join(dir, offsetFile))
		if err != nil {
			info, err = d.root.Lstat(dir)
		}
		if err == nil && now.Sub(info.ModTime()) >= idle {
			if err := d.root.RemoveAll(dir); err != nil {
				return err
			}
		}
	}
	return err
}

// upload is one upload as tusd sees it. tusd uses it under a lock.
type upload struct {
	d    *data
	dir  string
	info handler.FileInfo
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

// replace makes b what name holds, durably and all at once.
func (u *upload) replace(name string, b []byte) error {
	temp := u.at(name + ".tmp")
	f, err := u.d.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := u.d.root.Rename(temp, u.at(name)); err != nil {
		return err
	}
	dir, err := u.d.root.Open(u.dir)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// offset is how many bytes are durable.
func (u *upload) offset() (int64, error) {
	b, err := u.read(offsetFile)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil || n < 0 || n > u.info.Size {
		return 0, fmt.Errorf("offset: %w", shoal.ErrCorrupt)
	}
	return n, nil
}

// save makes n bytes durable.
func (u *upload) save(f *os.File, n int64) error {
	if err := f.Sync(); err != nil {
		return err
	}
	if err := u.replace(offsetFile, strconv.AppendInt(nil, n, 10)); err != nil {
		return err
	}
	u.info.Offset = n
	return nil
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
	to := io.NewOffsetWriter(f, offset)
	var written int64
	for {
		if err := u.d.store.Room(saveEvery); err != nil {
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
	return refusal(u.d.finish(u.d.ctx, u.info.ID, u.info))
}

// Terminate implements [handler.TerminatableUpload].
func (u *upload) Terminate(context.Context) error { return u.d.root.RemoveAll(u.dir) }

// ConcatUploads implements [handler.ConcatableUpload].
func (u *upload) ConcatUploads(ctx context.Context, parts []handler.Upload) error {
	f, err := u.d.root.OpenFile(u.at(dataFile), os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return refusal(err)
	}
	defer f.Close()
	var total int64
	for _, p := range parts {
		n, err := appendFile(f, p.(*upload))
		if err != nil {
			return refusal(err)
		}
		total += n
	}
	if err := u.save(f, total); err != nil {
		return refusal(err)
	}
	// tusd finishes only what ends with a PATCH.
	if err := u.d.finish(u.d.ctx, u.info.ID, u.info); err != nil {
		return refusal(err)
	}
	for _, p := range parts { // else there would be two copies until they are abandoned
		if err := p.(*upload).Terminate(ctx); err != nil {
			return refusal(err)
		}
	}
	return nil
}

// appendFile copies a part without taking it through this process.
func appendFile(to *os.File, part *upload) (int64, error) {
	from, err := part.d.root.Open(part.at(dataFile))
	if err != nil {
		return 0, err
	}
	defer from.Close()
	n, err := to.ReadFrom(io.LimitReader(from, part.info.Size)) // copy_file_range
	if err == nil && n != part.info.Size {
		err = fmt.Errorf("part %s: %w: %d bytes, want %d", part.info.ID, shoal.ErrCorrupt, n, part.info.Size)
	}
	return n, err
}
