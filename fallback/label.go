package fallback

import "github.com/shoal-cdn/shoal/internal/redact"

// Label is what an upstream is called where people read it: its name or, where that is a
// URL, as much of it as is no secret.
func Label(name string) string { return redact.URL(name) }
