package fallback

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// contentRange is a Content-Range of bytes (RFC 9110 §14.4).
type contentRange struct {
	first, last int64 // inclusive, 0 ≤ first ≤ last
	size        int64 // of the whole file; -1: not told
}

// parseContentRange reads "bytes 0-99/1234" or "bytes 0-99/*".
func parseContentRange(s string) (contentRange, error) {
	bad := fmt.Errorf("header Content-Range: %.60q", s)
	unit, rest, _ := strings.Cut(s, " ")
	span, size, ok := strings.Cut(rest, "/")
	if !strings.EqualFold(unit, "bytes") || !ok {
		return contentRange{}, bad
	}
	first, last, _ := strings.Cut(span, "-")
	r := contentRange{size: -1}
	if r.first, ok = decimal(first); !ok {
		return contentRange{}, bad
	}
	if r.last, ok = decimal(last); !ok || r.last < r.first || r.last == math.MaxInt64 {
		return contentRange{}, bad
	}
	if size == "*" {
		return r, nil
	}
	if r.size, ok = decimal(size); !ok || r.last >= r.size {
		return contentRange{}, bad
	}
	return r, nil
}

// decimal reads digits only: no sign, no space.
func decimal(s string) (int64, bool) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}
