package pace

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shoal-cdn/shoal/node/ingest/api"
)

// deadlines is a connection's read deadline.
type deadlines struct {
	http.ResponseWriter
	at time.Time
}

func (d *deadlines) SetReadDeadline(t time.Time) error { d.at = t; return nil }

// dripping gives n bytes every so often, until the deadline.
type dripping struct {
	n     int
	every time.Duration
	d     *deadlines
}

func (r *dripping) Read(p []byte) (int, error) {
	time.Sleep(r.every)
	if time.Now().After(r.d.at) {
		return 0, os.ErrDeadlineExceeded
	}
	return min(len(p), r.n), nil
}

// A slow-loris client is cut off, a slow line and a slow server are not.
func TestBody(t *testing.T) {
	for _, c := range []struct {
		rate int           // bytes a second
		busy time.Duration // of the server, after each read
		ok   bool
	}{
		{100, 0, false}, {api.MinBodyBytes / 60, 0, false}, {api.MinBodyBytes / 25, 0, true}, {1 << 20, 0, true},
		{api.MinBodyBytes / 25, time.Minute, true}, {api.MinBodyBytes / 60, time.Minute, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			d := &deadlines{ResponseWriter: httptest.NewRecorder()}
			b := New(d, &http.Request{Body: io.NopCloser(&dripping{n: c.rate, every: time.Second, d: d})})
			buf := make([]byte, 1<<20)
			var err error
			for n := 0; n < len(buf) && err == nil; {
				var m int
				m, err = b.Read(buf[n:])
				n += m
				time.Sleep(c.busy)
			}
			if c.ok != (err == nil) || c.ok == b.Stalled() || err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%d bytes a second: %v", c.rate, err)
			}
		})
	}
}
