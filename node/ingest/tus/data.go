package tus

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"github.com/tus/tusd/v2/pkg/handler"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/internal/durable"
	"github.com/shoal-cdn/shoal/node/ingest/uploads"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

const (
	folder       = ".tus"
	infoFile     = "info.json"
	offsetPrefix = "offset."
	dataFile     = "data"
	tempSuffix   = ".tmp"

	saveEvery = 16 << 20 // bytes, after which the offset is made durable within a request
	maxInfo   = 1 << 20  // bytes of info.json
)

// data is tusd's data store.
type data struct {
	store  *uploads.Store
	root   *os.Root
	ctx    context.Context // what goes on longer than a request may ends with it
	finish func(ctx context.Context, info handler.FileInfo, sum uploads.Sum) error

	joining  chan struct{}   // a place for each concatenation that reads data
	hopeless map[string]bool // resume's: uploads that hashing again makes no better
}

// maxJoining is how many concatenations read their parts at a time: more would only slow each other, and what is served.
const maxJoining = 1

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
	info.ID = strings.ToLower(rand.Text())
	info.Offset = 0
	info.Storage = nil
	u := &upload{d: d, dir: path.Join(folder, info.ID), info: info}
	if err := d.store.Reserve(info.ID, u.at(dataFile), info.Size, info.PartialUploads...); err != nil {
		return nil, refusal(err)
	}
	if err := u.create(); err != nil {
		return nil, refusal(errors.Join(err, u.remove()))
	}
	return u, nil
}

// GetUpload implements [handler.DataStore]. Only where the upload's information is gone is it not found, on which a client
// would begin anew.
func (d *data) GetUpload(ctx context.Context, id string) (handler.Upload, error) {
	if tapi.CheckTaskID(id) != nil {
		return nil, handler.ErrNotFound
	}
	u := &upload{d: d, dir: path.Join(folder, id)}
	err := u.loadInfo()
	if err == nil {
		err = u.load(ctx)
	}
	if err == nil && reports(ctx) { // another server may have made that version, and not yet made it durable
		err = durable.Sync(d.root, u.dir)
	}
	if vanished(err) && errors.Is(u.loadInfo(), fs.ErrNotExist) {
		return nil, handler.ErrNotFound
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

// resume finishes what is whole and was not finished, whatever was in the way: nobody asks for it again.
// It is called by one goroutine at a time.
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
		if u.info.Offset != u.info.Size || u.info.IsPartial || d.hopeless[u.info.ID] {
			continue
		}
		if done, errGet := d.store.Get(u.info.ID); errGet == nil && done.Complete() {
			continue
		}
		errFinish := u.finish()
		switch {
		case errors.Is(errFinish, shoal.ErrNotFound): // it was deleted since it was finished
			errFinish = u.remove()
		case errors.Is(errFinish, uploads.ErrMixed): // once it is whole again it was sent again
		case errors.Is(errFinish, shoal.ErrConflict), errors.Is(errFinish, shoal.ErrCorrupt), errors.Is(errFinish, shoal.ErrInvalid):
			d.hopeless[u.info.ID] = true
		}
		err = errors.Join(err, errFinish)
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
		u := &upload{d: d, dir: path.Join(folder, e.Name()), info: handler.FileInfo{ID: e.Name()}}
		info, err := d.root.Lstat(u.dir) // each version of the offset is an entry of it
		if err == nil && now.Sub(info.ModTime()) >= idle {
			if err := u.remove(); err != nil {
				return err
			}
		}
	}
	return err
}
