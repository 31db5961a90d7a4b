package tus

import (
	"net/http"

	"github.com/shoal-cdn/shoal/node/ingest/pace"
)

// answer corrects the head of tusd's answer.
type answer struct {
	http.ResponseWriter
	method string
	body   *pace.Body // the request's
}

// WriteHeader implements [http.ResponseWriter].
func (a *answer) WriteHeader(status int) {
	h := a.Header()
	if ext := h.Get("Tus-Extension"); a.method == http.MethodOptions && ext != "" { // tusd does not know of it
		h.Set("Tus-Extension", ext+",checksum")
		h.Set("Tus-Checksum-Algorithm", algorithms)
	}
	if status == http.StatusInternalServerError && a.body.Stalled() { // to tusd a client that stalls is the server's fault
		status = http.StatusRequestTimeout
	}
	a.ResponseWriter.WriteHeader(status)
}

// Unwrap is for [http.ResponseController].
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
