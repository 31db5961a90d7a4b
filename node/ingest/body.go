package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/ingest/api"
	"github.com/shoal-cdn/shoal/node/ingest/pace"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
	"golang.org/x/sync/semaphore"
)

const (
	describeStep = 1 << 20 // bytes of a description that are read at a time
	// maxElements bounds a description's lists: a few bytes of JSON make an element that takes
	// ten times as many.
	maxElements = api.MaxChunks + tapi.MaxNames + 1000
)

// description reads a description. Memory is taken as it comes, so that who announces much and sends little is
// in nobody's way; free gives it back.
func (s *Service) description(w http.ResponseWriter, r *http.Request) (b []byte, free func(), err error) {
	var held int64
	free = func() { s.describe.Release(held) }
	if r.ContentLength > api.MaxDescriptionBytes {
		return nil, free, errLong
	}
	body := pace.New(w, r)
	var all bytes.Buffer
	for {
		const step = 3 * describeStep // the body, and what is decoded of it
		if err := acquire(r.Context(), s.describe, step); err != nil {
			return nil, free, err
		}
		held += step
		_, err := io.CopyN(&all, body, describeStep)
		b = all.Bytes()
		switch {
		case err != nil && !errors.Is(err, io.EOF):
			return nil, free, brokenBody(err)
		case len(b) > api.MaxDescriptionBytes:
			return nil, free, errLong
		case err == nil:
			continue
		case bytes.Count(b, []byte{','}) > maxElements:
			return nil, free, fmt.Errorf("%w: more than %d elements", shoal.ErrInvalid, maxElements)
		}
		return b, free, nil
	}
}

// brokenBody says what is wrong with a body that cannot be read to its end.
func brokenBody(err error) error {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%w: want %d bytes in %v", errSlow, api.MinBodyBytes, api.MinBodyTime)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errShort
	}
	return fmt.Errorf("%w: the body breaks off: %v", shoal.ErrInvalid, err)
}

// acquire waits for n bytes of room, but not for long.
func acquire(ctx context.Context, room *semaphore.Weighted, n int64) error {
	ctx, cancel := context.WithTimeout(ctx, roomTime)
	defer cancel()
	if room.Acquire(ctx, n) != nil {
		return errBusy
	}
	return nil
}
