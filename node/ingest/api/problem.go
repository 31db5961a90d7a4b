package api

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// Problem is an error as it travels (RFC 9457): a [tapi.Problem] with what the client has
// to send again. It wraps the error kind of package shoal that Kind names. What may be
// tried again as it is has status 429, 503 or 507, of kind "unavailable".
type Problem struct {
	tapi.Problem
	Refused []Run `json:"refused,omitempty"` // chunks of the request that did not verify, and are not stored
	Next    int   `json:"next,omitempty"`    // as in Status; with Missing only
	Missing []Run `json:"missing,omitempty"` // as in Status: why the upload cannot be completed
}

// ProblemOf describes err, which may be or wrap a *Problem.
func ProblemOf(err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	return &Problem{Problem: *tapi.ProblemOf(err)}
}

// Write sends the problem as the whole answer to a request.
func (p *Problem) Write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", tapi.ProblemType)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the other side is gone: nobody to tell
}

// maxProblemBytes leaves room for [MaxMissing] runs.
const maxProblemBytes = 256 << 10

// ReadProblem reads the problem out of an answer with a status of 400 or more; whatever else
// the body is, it makes a problem of the status. It doesn't close the body.
func ReadProblem(resp *http.Response) *Problem {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxProblemBytes))
	var p Problem
	if strings.HasPrefix(resp.Header.Get("Content-Type"), tapi.ProblemType) && json.Unmarshal(body, &p) == nil && p.Kind != "" {
		p.Status = resp.StatusCode
		return &p
	}
	return &Problem{Problem: *tapi.ProblemOfStatus(resp.StatusCode, "answered "+resp.Status)}
}
