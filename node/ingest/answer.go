package ingest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/ingest/api"
	"github.com/shoal-cdn/shoal/node/ingest/uploads"
)

func reply(w http.ResponseWriter, status int, v any) {
	answering(w)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the other side is gone: nobody to tell
}

// answering bounds how long an answer takes, and the rest of the request's body, of which package http
// reads a part before it sends the answer.
func answering(w http.ResponseWriter) {
	rc := http.NewResponseController(w)
	_ = rc.SetWriteDeadline(time.Now().Add(answerTime))
	_ = rc.SetReadDeadline(time.Now().Add(restTime))
}

// refuse answers with a problem.
func (s *Service) refuse(w http.ResponseWriter, r *http.Request, err error) {
	answering(w)
	p := *api.ProblemOf(err)
	for _, known := range statuses {
		if errors.Is(err, known.err) {
			p.Problem.Status, p.Title = known.status, http.StatusText(known.status)
			break
		}
	}
	switch p.Problem.Status {
	case http.StatusServiceUnavailable, http.StatusTooManyRequests, http.StatusInsufficientStorage:
		w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
	case http.StatusInternalServerError:
		if errors.Is(err, os.ErrClosed) || r.Context().Err() != nil { // the node stops, or nobody is there
			p = *api.ProblemOf(errBusy)
			break
		}
		s.log.Error("request failed", "method", r.Method, "path", r.URL.Path, "err", err)
	}
	p.Write(w)
}

var (
	errBusy  = fmt.Errorf("%w: too many requests at the moment", shoal.ErrUnavailable)
	errLong  = fmt.Errorf("%w: longer than it may be", shoal.ErrInvalid)
	errSlow  = fmt.Errorf("%w: the body does not keep coming", shoal.ErrUnavailable)
	errShort = fmt.Errorf("%w: the body ends too early", shoal.ErrInvalid)
)

// statuses are those of errors that their kind does not tell.
var statuses = []struct {
	err    error
	status int
}{
	{uploads.ErrFull, http.StatusInsufficientStorage},
	{uploads.ErrTooMany, http.StatusTooManyRequests},
	{uploads.ErrTooLarge, http.StatusRequestEntityTooLarge},
	{errLong, http.StatusRequestEntityTooLarge},
	{errSlow, http.StatusRequestTimeout},
}
