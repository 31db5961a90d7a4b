package gateway

import (
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"os"
	"time"

	"github.com/shoal-cdn/shoal"
)

const (
	// chunkSize is what is read and written at a time, at most: the memory that a
	// transfer takes, besides net/http's.
	chunkSize = 256 << 10

	// replyTime is for all that is not a transfer.
	replyTime = 30 * time.Second
)

// chunkTime is how long a client has to take n bytes: some seconds, and what they
// take at 8 KiB/s, which is too slow to hold a place for.
func chunkTime(n int) time.Duration {
	return 10*time.Second + time.Duration(n)*time.Second/(8<<10)
}

// answer is the answer to one request for a content, as its handler sees it. It
// holds the header back until there is a byte to go with it: what fails before that
// can be answered with what failed.
//
// Write deadlines move along with what is written, and there is none while the
// answer waits for data or for its share of the rate.
type answer struct {
	http.ResponseWriter
	g       *Gateway
	ctx     context.Context // the request's
	control *http.ResponseController
	id      shoal.ContentID

	until  time.Time // when all of it has to be taken; zero: no such bound
	status int       // chosen; 0 for none yet
	begun  bool      // the header is sent
	err    error     // why the body is not complete
	broken bool      // err is of the content rather than of who asked for it
}

func (g *Gateway) answer(w http.ResponseWriter, r *http.Request, id shoal.ContentID) *answer {
	a := &answer{ResponseWriter: w, g: g, ctx: r.Context(), control: http.NewResponseController(w), id: id}
	a.deadline(time.Time{})
	return a
}

// deadline ignores failure: a writer without deadlines is a test's recorder.
func (a *answer) deadline(t time.Time) { _ = a.control.SetWriteDeadline(t) }

// WriteHeader implements [http.ResponseWriter].
func (a *answer) WriteHeader(status int) { a.status = status }

// Write implements [http.ResponseWriter]. The text of a refusal, as
// [http.ServeContent] writes it, is dropped: finish sends a problem.
func (a *answer) Write(p []byte) (n int, err error) {
	if a.status >= http.StatusBadRequest {
		return len(p), nil
	}
	for n < len(p) && err == nil {
		var m int
		m, err = a.send(p[n:min(n+a.g.chunk, len(p))])
		n += m
	}
	return n, err
}

// ReadFrom implements [io.ReaderFrom]. [http.ServeContent] calls it with the body
// limited to its length, all of which has to be there.
func (a *answer) ReadFrom(src io.Reader) (sent int64, err error) {
	body, ok := src.(*io.LimitedReader)
	if !ok {
		body = &io.LimitedReader{R: src, N: math.MaxInt64}
	}
	if r, ok := body.R.(*reader); ok {
		r.expect(body.N)
	}
	if f, ok := body.R.(*os.File); ok {
		sent, err = a.sendFile(f, body.N)
	} else {
		sent, err = a.copy(body)
	}
	a.err = err
	return sent, err
}

// copy sends a body that may have to be waited for.
func (a *answer) copy(body *io.LimitedReader) (sent int64, err error) {
	buf := a.g.buffer()
	defer a.g.buffers.Put(buf)
	for body.N > 0 {
		n, err := body.Read(buf[:a.g.chunk])
		if n > 0 {
			written, err := a.send(buf[:n])
			sent += int64(written)
			if err != nil {
				return sent, err
			}
		}
		if err == io.EOF && body.N > 0 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil && err != io.EOF {
			a.broken = true
			return sent, err
		}
	}
	return sent, nil
}

// send writes p, at most a chunk, and sees to it that it leaves: what comes next
// may take long.
func (a *answer) send(p []byte) (n int, err error) {
	if err := a.prepare(len(p)); err != nil {
		return 0, err
	}
	n, err = a.ResponseWriter.Write(p)
	if err == nil {
		err = ignoreUnsupported(a.control.Flush())
	}
	a.account(n)
	return n, err
}

// sendFile sends n bytes of a file by the connection's own means: over plain TCP,
// the kernel's sendfile.
func (a *answer) sendFile(f *os.File, n int64) (sent int64, err error) {
	to, ok := a.ResponseWriter.(io.ReaderFrom)
	if !ok { // HTTP/2 and HTTP/3
		return a.copy(&io.LimitedReader{R: f, N: n})
	}
	for sent < n {
		chunk := min(n-sent, int64(a.g.chunk))
		if err := a.prepare(int(chunk)); err != nil {
			return sent, err
		}
		m, err := to.ReadFrom(&io.LimitedReader{R: f, N: chunk})
		a.account(int(m))
		sent += m
		if err == nil && m < chunk { // somebody has cut the file
			a.broken, err = true, io.ErrUnexpectedEOF
		}
		if err != nil {
			return sent, err
		}
	}
	return sent, nil
}

// prepare waits until n bytes may be sent, and sends the header before the first
// of them.
func (a *answer) prepare(n int) error {
	if err := a.g.egress.wait(a.ctx, n); err != nil {
		return err
	}
	deadline := time.Now().Add(a.g.chunkTime(n))
	if !a.until.IsZero() && a.until.Before(deadline) {
		deadline = a.until
	}
	a.deadline(deadline)
	if !a.begun {
		a.begun = true
		a.ResponseWriter.WriteHeader(max(a.status, http.StatusOK))
	}
	return nil
}

// account counts what was written, and lifts the deadline for the wait that follows.
func (a *answer) account(n int) {
	a.deadline(time.Time{})
	a.g.bytes.Add(int64(max(n, 0)))
}

// finish ends the answer. Where the body is cut short it does not return: only a
// broken connection or stream tells the client.
func (a *answer) finish() {
	a.deadline(time.Now().Add(replyTime))
	switch {
	case a.err == nil && a.begun:
	case a.err == nil && a.status == http.StatusRequestedRangeNotSatisfiable:
		refuse(a.ResponseWriter, a.status, "no such range of the file, or too many ranges")
	case a.err == nil && a.status == http.StatusPreconditionFailed:
		refuse(a.ResponseWriter, a.status, "the file is not the one that was asked for")
	case a.err == nil:
		a.ResponseWriter.WriteHeader(max(a.status, http.StatusOK))
	case a.ctx.Err() != nil:
		panic(http.ErrAbortHandler) // nobody is there to be told
	case a.begun:
		if a.broken {
			a.g.failed("transfer broken off", a.id, a.err)
		}
		panic(http.ErrAbortHandler)
	default:
		a.Header().Del("Content-Range")
		a.Header().Del("Accept-Ranges")
		a.g.refuse(a.ResponseWriter, a.id, a.err)
	}
}

// ignoreUnsupported passes over a writer that cannot flush, which is a test's.
func ignoreUnsupported(err error) error {
	if errors.Is(err, http.ErrNotSupported) {
		return nil
	}
	return err
}
