package api

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/shoal-cdn/shoal"
)

// ProblemType is the media type of a [Problem] (RFC 9457).
const ProblemType = "application/problem+json"

// Problem is an error as it travels over HTTP (RFC 9457). It wraps the error
// kind of package shoal that Kind names.
type Problem struct {
	Title  string `json:"title"`  // the status in words
	Status int    `json:"status"` // the HTTP status
	Detail string `json:"detail"` // what happened to what, and why
	Kind   string `json:"kind"`   // see the package's table
}

// kinds pairs the error kinds with their names and statuses. An error of
// several kinds has the first.
var kinds = []struct {
	err    error
	name   string
	status int
}{
	{shoal.ErrInvalid, "invalid", http.StatusBadRequest},
	{shoal.ErrNotFound, "not_found", http.StatusNotFound},
	{shoal.ErrChanged, "changed", http.StatusConflict},
	{shoal.ErrConflict, "conflict", http.StatusConflict},
	{shoal.ErrCorrupt, "corrupt", http.StatusUnprocessableEntity},
	{shoal.ErrCancelled, "cancelled", http.StatusConflict},
	{shoal.ErrUnavailable, "unavailable", http.StatusServiceUnavailable},
}

const internal = "internal"

// ProblemOf describes err. The text of an error of none of the kinds may hold
// what is nobody else's business, so it is left out: log it.
func ProblemOf(err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	for _, k := range kinds {
		if errors.Is(err, k.err) {
			return &Problem{Title: http.StatusText(k.status), Status: k.status, Detail: err.Error(), Kind: k.name}
		}
	}
	const status = http.StatusInternalServerError
	return &Problem{Title: http.StatusText(status), Status: status, Detail: "internal error", Kind: internal}
}

// ProblemOfStatus describes an answer that consists of a status only.
func ProblemOfStatus(status int, detail string) *Problem {
	kind := internal
	switch {
	case status == http.StatusUnprocessableEntity:
		kind = "invalid"
	case status == http.StatusBadGateway, status == http.StatusGatewayTimeout, status == http.StatusTooManyRequests:
		kind = "unavailable"
	default:
		for _, k := range kinds {
			// The first of "changed" and "conflict" is the narrower one, so the later wins.
			if k.status == status && k.name != "cancelled" {
				kind = k.name
			}
		}
		if kind == internal && status >= 400 && status < 500 {
			kind = "invalid"
		}
	}
	return &Problem{Title: http.StatusText(status), Status: status, Detail: detail, Kind: kind}
}

func (p *Problem) Error() string { return p.Detail }

// Unwrap returns the error kind. An internal error of the other side is
// [shoal.ErrUnavailable] on this one.
func (p *Problem) Unwrap() error {
	for _, k := range kinds {
		if k.name == p.Kind {
			return k.err
		}
	}
	return shoal.ErrUnavailable
}

// Write sends the problem as the whole answer to a request.
func (p *Problem) Write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", ProblemType)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the other side is gone: nobody to tell
}

const maxProblemBytes = 64 << 10

// ReadProblem reads the problem out of an answer with a status of 400 or
// more; whatever else the body is, it makes a problem of the status.
// It doesn't close the body.
func ReadProblem(resp *http.Response) *Problem {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxProblemBytes))
	var p Problem
	if strings.HasPrefix(resp.Header.Get("Content-Type"), ProblemType) && json.Unmarshal(body, &p) == nil && p.Kind != "" {
		p.Status = resp.StatusCode
		p.Detail = cut(strings.ToValidUTF8(p.Detail, "\uFFFD"), 4*maxError)
		return &p
	}
	return ProblemOfStatus(resp.StatusCode, "answered "+resp.Status)
}
