package download

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/shoal-cdn/shoal"
)

// maxValidator bounds what is kept of a server's headers, in bytes.
const maxValidator = 1024

// errChanged says that what is there belongs to another version of the file.
var errChanged = errors.New("the file has changed on the server")

// answer is what a server's header promises of the body.
type answer struct {
	first     int64  // where in the file the body begins
	length    int64  // of the body, in bytes; -1: not told, it ends where it ends
	total     int64  // of the file, in bytes; -1: not told
	validator string // for If-Range; "" where there is no strong one
	ranges    bool   // the server serves parts of the file
}

// judge reads the answer to a request for all bytes from offset on, of the file
// of which known has a part. The error is [errChanged] where that part is of no
// use any more, and final where asking again is of none.
func judge(resp *http.Response, offset int64, known state) (answer, error) {
	if err := judgeStatus(resp); err != nil {
		return answer{}, err
	}
	if enc := resp.Header.Get("Content-Encoding"); enc != "" && !strings.EqualFold(enc, "identity") {
		return answer{}, final{fmt.Errorf("%w: the server sends it encoded as %.20q, though not asked to", shoal.ErrInvalid, enc)}
	}
	a := answer{total: -1, validator: validatorOf(resp.Header)}
	switch resp.StatusCode {
	case http.StatusOK:
		a.length, a.total = resp.ContentLength, resp.ContentLength
		if a.length < 0 && resp.ProtoMajor == 1 && len(resp.TransferEncoding) == 0 {
			return answer{}, final{fmt.Errorf("%w: the server says neither how long the file is nor where it ends", shoal.ErrInvalid)}
		}
		return a, nil
	case http.StatusRequestedRangeNotSatisfiable:
		if offset > 0 {
			return answer{}, errChanged // it is shorter now
		}
		if size, ok := strings.CutPrefix(resp.Header.Get("Content-Range"), "bytes */"); ok && size == "0" {
			return answer{total: 0, validator: a.validator, ranges: true}, nil
		}
		return answer{}, final{fmt.Errorf("%w: the server answers %s for the whole file", shoal.ErrInvalid, statusText(resp))}
	}
	first, last, total, err := parseContentRange(resp.Header.Get("Content-Range"))
	switch {
	case err != nil:
		return answer{}, final{err}
	case first != offset:
		return answer{}, final{fmt.Errorf("%w: the server sends bytes from %d on, where asked for those from %d on", shoal.ErrInvalid, first, offset)}
	case offset > 0 && (known.Total >= 0 && total != known.Total || contradicts(resp.Header, known.Validator)):
		return answer{}, errChanged
	}
	a.first, a.length, a.total, a.ranges = first, last-first+1, total, true
	return a, nil
}

// judgeStatus is nil for what is worth looking at.
func judgeStatus(resp *http.Response) error {
	says := fmt.Errorf("the server answers %s", statusText(resp))
	switch status := resp.StatusCode; {
	case status == http.StatusOK, status == http.StatusPartialContent, status == http.StatusRequestedRangeNotSatisfiable:
		return nil
	case status == http.StatusNotFound, status == http.StatusGone:
		return final{fmt.Errorf("%w: %w", shoal.ErrNotFound, says)}
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly, status == http.StatusTooManyRequests, status >= 500:
		return fmt.Errorf("%w: %w", shoal.ErrUnavailable, says)
	}
	return final{fmt.Errorf("%w: %w", shoal.ErrInvalid, says)}
}

// statusText is our words for a status; the server's own could be anything.
func statusText(resp *http.Response) string {
	return strings.TrimSpace(strconv.Itoa(resp.StatusCode) + " " + http.StatusText(resp.StatusCode))
}

// parseContentRange reads "bytes 0-99/1234" (RFC 9110 §14.4). That the file's
// length is not told is an error too.
func parseContentRange(s string) (first, last, total int64, err error) {
	unit, rest, _ := strings.Cut(s, " ")
	span, size, _ := strings.Cut(rest, "/")
	from, to, _ := strings.Cut(span, "-")
	first, ok1 := decimal(from)
	last, ok2 := decimal(to)
	total, ok3 := decimal(size)
	if !strings.EqualFold(unit, "bytes") || !ok1 || !ok2 || !ok3 || last < first || last >= total {
		return 0, 0, 0, fmt.Errorf("%w: the server's header Content-Range is %.60q", shoal.ErrInvalid, s)
	}
	return first, last, total, nil
}

// decimal reads digits and nothing else.
func decimal(s string) (int64, bool) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil && n < math.MaxInt64
}

// contradicts reports whether an answer with part of a file is from another
// version than the validator, whatever the server was told in If-Range.
func contradicts(h http.Header, validator string) bool {
	name := "Last-Modified"
	if strings.HasPrefix(validator, `"`) {
		name = "ETag"
	}
	says := h.Get(name)
	return says != "" && says != validator
}

// validatorOf is what If-Range may carry: a strong entity tag or, without any
// tag, a time of modification that was a minute ago (RFC 9110 §8.8.2.2,
// §13.1.5); a younger one may stand for two versions.
func validatorOf(h http.Header) string {
	tag, modified := h.Get("ETag"), h.Get("Last-Modified")
	switch {
	case len(tag) > maxValidator || len(modified) > maxValidator:
		return ""
	case len(tag) >= 2 && strings.HasPrefix(tag, `"`) && strings.HasSuffix(tag, `"`):
		return tag
	case tag != "":
		return ""
	}
	at, err1 := http.ParseTime(modified)
	now, err2 := http.ParseTime(h.Get("Date"))
	if err1 != nil || err2 != nil || now.Sub(at) < time.Minute {
		return ""
	}
	return modified
}
