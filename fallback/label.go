package fallback

import (
	"net/url"
	"strings"
)

// Label is what an upstream is called where people read it: its name or, where that is a
// URL, as much of it as is no secret. A query may be a signature (presigned URLs), and a user
// name stands before a password. It never fails: what cannot be read is cut more.
func Label(name string) string {
	if !strings.Contains(name, "://") {
		return name
	}
	name, _, _ = strings.Cut(name, "#")
	name, _, _ = strings.Cut(name, "?")
	u, err := url.Parse(name)
	if err != nil || u.Opaque != "" {
		scheme, _, _ := strings.Cut(name, "://")
		return scheme + "://…"
	}
	u.User = nil
	return u.String()
}
