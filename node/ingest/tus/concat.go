package tus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/tus/tusd/v2/pkg/handler"

	"github.com/shoal-cdn/shoal"
)

// ConcatUploads implements [handler.ConcatableUpload]. What cannot be joined is no upload: the
// client has its parts, and asks anew.
func (u *upload) ConcatUploads(ctx context.Context, parts []handler.Upload) error {
	if err := u.join(parts); err != nil {
		return refusal(errors.Join(err, u.remove()))
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

// join copies the parts, durably.
func (u *upload) join(parts []handler.Upload) error {
	f, err := u.d.root.OpenFile(u.at(dataFile), os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	var total int64
	for _, p := range parts {
		n, err := appendFile(f, p.(*upload))
		if err != nil {
			return err
		}
		total += n
	}
	return u.save(f, total)
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
