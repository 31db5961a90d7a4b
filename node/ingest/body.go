package ingest

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/ingest/api"
)

// pacedBody is a request's body that must keep coming: api.MinBodyBytes in api.MinBodyTime.
type pacedBody struct {
	r    io.Reader
	rc   *http.ResponseController
	left int // bytes until the deadline moves
}

func paced(w http.ResponseWriter, r *http.Request) io.Reader {
	return &pacedBody{r: r.Body, rc: http.NewResponseController(w)}
}

// Read implements [io.Reader].
func (b *pacedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		b.left = api.MinBodyBytes
		_ = b.rc.SetReadDeadline(time.Now().Add(api.MinBodyTime)) // a test's recorder has none
	}
	n, err := b.r.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
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
