package fallback

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/shoal-cdn/shoal"
)

// checkAnswer says why an answer is not the bytes [from, to) of a file of the
// given size.
func checkAnswer(resp *http.Response, from, to, size int64) *fault {
	switch code := resp.StatusCode; {
	case code == http.StatusPartialContent:
	case code == http.StatusOK && from == 0 && to == size: // the whole file is what was asked for
	case code == http.StatusOK:
		return faultf(unranged, "%w: does not support ranges: status 200 for a part of the file", shoal.ErrUnavailable)
	case code == http.StatusRequestedRangeNotSatisfiable:
		return faultf(misranged, "%w: status 416: its file has not the bytes %d–%d", shoal.ErrCorrupt, from, to-1)
	case code >= 500 || code == http.StatusTooManyRequests || code == http.StatusRequestTimeout || code == http.StatusTooEarly:
		f := faultf(busy, "%w: %s", shoal.ErrUnavailable, status(code))
		f.after = retryAfter(resp.Header.Get("Retry-After"))
		return f
	case code == http.StatusNotFound || code == http.StatusGone:
		return faultf(refused, "%w: %s", shoal.ErrNotFound, status(code))
	default:
		return faultf(refused, "%w: %s", shoal.ErrUnavailable, status(code))
	}
	if encoding := resp.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return faultf(misranged, "%w: encoded as %.20q, not as asked for", shoal.ErrCorrupt, encoding)
	}
	if resp.StatusCode == http.StatusOK {
		return checkLength(resp, size)
	}
	got, err := parseContentRange(resp.Header.Get("Content-Range"))
	switch {
	case err != nil:
		return faultf(misranged, "%w: %w", shoal.ErrCorrupt, err)
	case got.size >= 0 && got.size != size:
		return faultf(misranged, "%w: wrong length: its file has %d bytes, want %d", shoal.ErrCorrupt, got.size, size)
	case got.first != from || got.last != to-1:
		return faultf(misranged, "%w: wrong range: %d–%d, asked for %d–%d", shoal.ErrCorrupt, got.first, got.last, from, to-1)
	}
	return checkLength(resp, to-from)
}

func checkLength(resp *http.Response, want int64) *fault {
	if resp.ContentLength >= 0 && resp.ContentLength != want {
		return faultf(misranged, "%w: wrong length: %d bytes announced, want %d", shoal.ErrCorrupt, resp.ContentLength, want)
	}
	return nil
}

func status(code int) string {
	return strings.TrimSpace("status " + strconv.Itoa(code) + " " + http.StatusText(code))
}

// retryAfter reads the header's form in seconds; 0 for any other.
func retryAfter(s string) time.Duration {
	seconds, ok := decimal(s)
	if !ok {
		return 0
	}
	return time.Duration(min(seconds, int64(maxRetryAfter/time.Second))) * time.Second
}
