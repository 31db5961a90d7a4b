package gateway

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// maxRanges is the number of ranges answered in one request.
const maxRanges = 32

// boundRanges returns r with a Range field that [http.ServeContent] answers within
// bounds, for a file of the given size; r itself where that is the one it has.
//
// The field is left away where it has no meaning: with a method other than GET,
// and with a unit other than bytes, both of which RFC 9110 §14.2 demands. It is
// replaced by one that cannot be satisfied, which makes the answer 416 with the
// size in Content-Range, where it is malformed, asks for too many ranges, or for
// the same bytes more than twice (RFC 9110 §14.2, §17.15). Conditions, If-Range
// among them, are looked at before, as they should be.
func boundRanges(r *http.Request, size int64) *http.Request {
	field := r.Header.Get("Range")
	if field == "" {
		return r
	}
	bounded := ""
	if r.Method == http.MethodGet {
		bounded = boundRangeField(field, size)
	}
	if bounded == field {
		return r
	}
	clone := *r
	clone.Header = r.Header.Clone()
	clone.Header.Set("Range", bounded) // "" counts as absent
	return &clone
}

func boundRangeField(field string, size int64) string {
	unit, specs, ok := strings.Cut(field, "=")
	if !ok || !strings.EqualFold(strings.TrimSpace(unit), "bytes") {
		return ""
	}
	ranges, ok := parseRanges(specs, size)
	if !ok || len(ranges) == 0 || overlapTwice(ranges) {
		return fmt.Sprintf("bytes=%d-", size)
	}
	bounded := make([]string, len(ranges))
	for i, r := range ranges {
		bounded[i] = fmt.Sprintf("%d-%d", r.start, r.end-1)
	}
	return "bytes=" + strings.Join(bounded, ",")
}

// span is part of a file: the bytes from start up to, and without, end.
type span struct{ start, end int64 }

// parseRanges reads a range-set (RFC 9110 §14.1.1) of at most maxRanges and cuts
// it to the file. Ranges that have nothing of the file are left away.
func parseRanges(specs string, size int64) (ranges []span, ok bool) {
	specified := 0
	for spec := range strings.SplitSeq(specs, ",") {
		spec = strings.Trim(spec, " \t")
		if spec == "" { // RFC 9110 §5.6.1.2: empty list elements are ignored
			continue
		}
		s, ok := parseSpec(spec, size)
		if specified++; !ok || specified > maxRanges {
			return nil, false
		}
		if s.start < s.end {
			ranges = append(ranges, s)
		}
	}
	return ranges, true
}

func parseSpec(spec string, size int64) (s span, ok bool) {
	first, last, ok := strings.Cut(spec, "-")
	if !ok {
		return span{}, false
	}
	if first == "" { // the last so many bytes
		n, ok := parseOffset(last)
		return span{size - min(n, size), size}, ok
	}
	start, ok := parseOffset(first)
	if !ok {
		return span{}, false
	}
	end := size
	if last != "" {
		n, ok := parseOffset(last)
		if !ok || n < start {
			return span{}, false
		}
		if n < size {
			end = n + 1
		}
	}
	return span{min(start, size), end}, true
}

// parseOffset reads 1*DIGIT; strconv alone would take a sign.
func parseOffset(s string) (n int64, ok bool) {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// overlapTwice reports whether some byte is in more than two of the ranges.
func overlapTwice(ranges []span) bool {
	for _, r := range ranges {
		in := 0 // where a byte is in three ranges, so is the first one of the last to start
		for _, o := range ranges {
			if o.start <= r.start && r.start < o.end {
				in++
			}
		}
		if in > 2 {
			return true
		}
	}
	return false
}
