package pace

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/shoal-cdn/shoal/node/ingest/api"
)

// Body is a request's body that must keep coming. It is for one goroutine.
type Body struct {
	body    io.ReadCloser
	rc      *http.ResponseController
	left    int           // bytes that have to come
	waited  time.Duration // for them
	stalled bool
}

// New paces a request's body.
func New(w http.ResponseWriter, r *http.Request) *Body {
	return &Body{body: r.Body, rc: http.NewResponseController(w)}
}

// Read implements [io.Reader]. The error is or wraps [os.ErrDeadlineExceeded] where too little came.
func (b *Body) Read(p []byte) (int, error) {
	if b.left <= 0 {
		b.left, b.waited = api.MinBodyBytes, 0
	}
	begun := time.Now()
	_ = b.rc.SetReadDeadline(begun.Add(api.MinBodyTime - b.waited)) // a test's recorder has none
	n, err := b.body.Read(p[:min(len(p), b.left)])
	b.waited += time.Since(begun)
	b.left -= n
	switch {
	case errors.Is(err, io.EOF): // or the deadline would end the request while it is worked on
		_ = b.rc.SetReadDeadline(time.Time{})
	case errors.Is(err, os.ErrDeadlineExceeded):
		b.stalled = true
	}
	return n, err
}

// Close implements [io.Closer].
func (b *Body) Close() error { return b.body.Close() }

// Stalled reports whether too little came.
func (b *Body) Stalled() bool { return b.stalled }
