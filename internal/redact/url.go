package redact

import (
	"net/url"
	"strings"
)

// URL is as much of a URL as is no secret; what is none stays as it is. A query may be a
// signature (presigned URLs), and a user name stands before a password. It never
// fails: what cannot be read is cut more.
func URL(s string) string {
	if !strings.Contains(s, "://") {
		return s
	}
	s, _, _ = strings.Cut(s, "#")
	s, _, _ = strings.Cut(s, "?")
	u, err := url.Parse(s)
	if err != nil || u.Opaque != "" {
		scheme, _, _ := strings.Cut(s, "://")
		return scheme + "://…"
	}
	u.User = nil
	return u.String()
}
