package download

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/shoal-cdn/shoal"
)

const maxRedirects = 5

// final marks an error that another attempt would meet again.
type final struct{ error }

func (f final) Unwrap() error { return f.error }

func isFinal(err error) bool {
	_, ok := errors.AsType[final](err)
	return ok
}

// bounded is a client like c that follows few redirects, each of which c may
// refuse, and none from https to http. It has no time limit for a whole
// transfer, which takes as long as the file is large.
func bounded(c *http.Client) *http.Client {
	b := *c
	b.Timeout = 0
	b.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		if len(via) > maxRedirects {
			return final{fmt.Errorf("%w: redirected more than %d times", shoal.ErrInvalid, maxRedirects)}
		}
		if via[len(via)-1].URL.Scheme == "https" && req.URL.Scheme == "http" {
			return final{fmt.Errorf("%w: redirected from https to http", shoal.ErrInvalid)}
		}
		if err := shoal.CheckWebSeed(req.URL.String()); err != nil {
			return final{fmt.Errorf("redirected: %w", err)}
		}
		req.Header.Del("Referer") // a presigned URL is a secret
		if c.CheckRedirect == nil {
			return nil
		}
		return c.CheckRedirect(req, via)
	}
	return &b
}
