package gateway

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/shoal-cdn/shoal"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// restTime is for the rest of a body that nobody wants.
const restTime = 5 * time.Second

// refuse answers with a problem (RFC 9457) and no caching. It bounds how long the request's body may take,
// of which package http reads a part before it sends the answer.
func refuse(w http.ResponseWriter, status int, detail string) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(restTime)) // a test's recorder has none
	h := w.Header()
	for _, of := range []string{"Etag", "Cache-Control", "Content-Length", "Last-Modified"} {
		h.Del(of) // of the file
	}
	h.Set("Cache-Control", "no-store")
	tapi.ProblemOfStatus(status, detail).Write(w)
}

func notFound(w http.ResponseWriter) { refuse(w, http.StatusNotFound, "nothing is here by this name") }

// refuse answers for a content that cannot be served. Strangers are told no more
// than that: the reason may name files and addresses.
func (g *Gateway) refuse(w http.ResponseWriter, id shoal.ContentID, err error) {
	if errors.Is(err, shoal.ErrNotFound) {
		notFound(w)
		return
	}
	g.failed("content not served", id, err)
	w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
	refuse(w, http.StatusServiceUnavailable, "the content cannot be served at the moment")
}

// failed logs a failure that is not the client's, unless clients cause too many.
func (g *Gateway) failed(what string, id shoal.ContentID, err error) {
	g.complaints.Do(func() { g.log.Warn(what, "content", id, "err", err) })
}

func (g *Gateway) closed(id shoal.ContentID, err error) {
	if err != nil {
		g.failed("could not close a content", id, err)
	}
}
