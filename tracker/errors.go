package tracker

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// problem makes an api.Problem an error that huma sends as it is.
type problem struct{ api.Problem }

var _ huma.StatusError = problem{}

func (p problem) Error() string             { return p.Detail }
func (p problem) GetStatus() int            { return p.Status }
func (p problem) ContentType(string) string { return api.ProblemType }

// failed turns an error into an answer. What only the operator should know is
// logged instead.
func failed(log *slog.Logger, err error) error {
	if err == nil {
		return nil
	}
	p := api.ProblemOf(err)
	if p.Status >= http.StatusInternalServerError {
		log.Error("request failed", "err", err)
	}
	return problem{*p}
}

// asProblem gives huma's own errors, about malformed requests, the form of all others.
func asProblem(_ huma.Context, _ string, v any) (any, error) {
	e, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	detail := []string{e.Detail}
	for i, d := range e.Errors {
		if i == 3 { // a request can be wrong in thousands of places
			break
		}
		detail = append(detail, strings.TrimPrefix(d.Location+": "+d.Message, ": "))
	}
	return problem{*api.ProblemOfStatus(e.Status, strings.Join(detail, ": "))}, nil
}

// problems answers in our form where the mux would in its own: for paths and
// methods that don't exist.
func problems(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, pattern := mux.Handler(r); pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		s := statusOnly{ResponseWriter: w}
		mux.ServeHTTP(&s, r)
		api.ProblemOfStatus(s.status, r.Method+" "+r.URL.Path+": "+strings.ToLower(http.StatusText(s.status))).Write(w)
	})
}

// statusOnly keeps an answer's headers and status and drops its body.
type statusOnly struct {
	http.ResponseWriter
	status int
}

func (s *statusOnly) WriteHeader(status int)      { s.status = status }
func (s *statusOnly) Write(b []byte) (int, error) { return len(b), nil }

var errCrossOrigin = errors.New("cross-origin request from a browser")
