package redact

import "testing"

func TestURL(t *testing.T) {
	for s, want := range map[string]string{
		"":             "",
		"12D3KooWGUHB": "12D3KooWGUHB",
		"https://bucket.example/path/file?X-Amz-Signature=s3cret&X-Amz-Expires=60": "https://bucket.example/path/file",
		"https://user:s3cret@example/file":                                         "https://example/file",
		"https://example/file#s3cret":                                              "https://example/file",
		"https://example/a%20b?s3cret":                                             "https://example/a%20b",
		"https://s3cret:%zz@example/file":                                          "https://…",
		"https://user:s3cret@exa mple/":                                            "https://…",
		"https://example/?a=https://b?s3cret":                                      "https://example/",
	} {
		if got := URL(s); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
}
