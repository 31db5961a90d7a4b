package tus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/tus/tusd/v2/pkg/handler"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/ingest/uploads"
)

// ConcatUploads implements [handler.ConcatableUpload]. What cannot be joined is no upload: the
// client has its parts, and asks anew.
func (u *upload) ConcatUploads(ctx context.Context, parts []handler.Upload) error {
	if err := u.join(ctx, parts); err != nil {
		return refusal(errors.Join(err, u.remove()))
	}
	// tusd finishes only what ends with a PATCH.
	if err := u.finish(); err != nil {
		return refusal(err)
	}
	for _, p := range parts { // else there would be two copies until they are abandoned
		if err := p.(*upload).Terminate(ctx); err != nil {
			return refusal(err)
		}
	}
	return nil
}

// join copies the parts, durably, unless ctx or the process ends. A part that holds other bytes than were sent begins anew.
func (u *upload) join(ctx context.Context, parts []handler.Upload) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(u.d.ctx, func() { cancel(context.Cause(u.d.ctx)) })()
	f, err := u.d.root.OpenFile(u.at(dataFile), os.O_RDWR|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	var total int64
	for _, p := range parts {
		n, err := appendFile(f, p.(*upload))
		if err == nil {
			err = u.take(ctx, io.NewSectionReader(f, total, n), p.(*upload))
		}
		if err != nil {
			return err
		}
		total += n
	}
	return u.save(f, total)
}

// take compares the copy of a part with what was sent, and adds it to the checksum that the whole has to have. Of several
// concatenations a bounded number does it at a time.
func (u *upload) take(ctx context.Context, copied io.Reader, part *upload) error {
	select {
	case u.d.joining <- struct{}{}:
		defer func() { <-u.d.joining }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	var sum uploads.Sum
	if _, err := io.Copy(io.MultiWriter(&u.sum, &sum), until{ctx, copied}); err != nil {
		return err
	}
	if sum != part.sum {
		return errors.Join(fmt.Errorf("part %s: %w", part.info.ID, uploads.ErrMixed), part.beginAnew())
	}
	return nil
}

// until reads until ctx ends.
type until struct {
	ctx  context.Context // of one call
	from io.Reader
}

// Read implements [io.Reader].
func (r until) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.from.Read(p)
}

// appendFile copies a part without taking it through this process.
func appendFile(to *os.File, part *upload) (int64, error) {
	if err := part.d.store.Room(part.info.Size); err != nil {
		return 0, err
	}
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
