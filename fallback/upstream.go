package fallback

import (
	"crypto/tls"
	"fmt"
	"net/url"
	"strings"

	"github.com/shoal-cdn/shoal"
)

// Kind says how an upstream lays out its files.
type Kind string

const (
	// Node is another node's gateway: BASE/v1/contents/ID/files/PATH.
	Node Kind = "node"
	// WebSeed is any HTTP server with ranges, with URLs as in BEP 19.
	WebSeed Kind = "webseed"
)

// Upstream is a place to fetch from.
type Upstream struct {
	Name string // for reports and [Fetcher.SetConnections]; unique
	// URL is http or https. A web seed's may have a query, as presigned URLs
	// have; a node's may not. Reports never repeat it.
	URL  string
	Kind Kind
	// TLS is how the server is verified, and is not changed; nil: by name and
	// the system's authorities. A node's is usually pinned to its ID.
	TLS *tls.Config
	// Connections is how many to open at most; 0: as many as make it faster. One more may be
	// there while another transport is tried, and one while a range has fallen behind.
	// [Fetcher.SetConnections] changes it.
	Connections int
}

// maxURLBytes bounds an upstream's URL; presigned ones run to 2 KiB.
const maxURLBytes = 8 << 10

// parse checks the upstream. The error is of kind [shoal.ErrInvalid].
func (u *Upstream) parse() (*url.URL, error) {
	invalid := func(why string) error {
		return fmt.Errorf("upstream %.100q: %w: %s", Label(u.Name), shoal.ErrInvalid, why)
	}
	if u.Name == "" {
		return nil, invalid("no name")
	}
	if u.Kind != Node && u.Kind != WebSeed {
		return nil, invalid("no such kind")
	}
	if len(u.URL) > maxURLBytes {
		return nil, invalid("the URL is too long")
	}
	parsed, err := url.Parse(u.URL)
	if err != nil {
		return nil, invalid("the URL cannot be read") // err would repeat it
	}
	if err := CheckURL(parsed); err != nil {
		return nil, invalid(err.Error())
	}
	if u.Kind == Node && parsed.RawQuery != "" {
		return nil, invalid("the URL has a query")
	}
	if u.Connections < 0 {
		return nil, invalid("the number of connections is negative")
	}
	parsed.Fragment, parsed.RawFragment = "", ""
	return parsed, nil
}

// fileURL is where base has a file of m.
func fileURL(kind Kind, base *url.URL, m *shoal.Manifest, file int) *url.URL {
	path := m.Files()[file].Path
	switch {
	case kind == Node:
		return below(base, "v1/contents/"+m.ID().String()+"/files/"+path)
	case m.IsFolder():
		return below(base, m.Name()+"/"+path)
	case strings.HasSuffix(base.Path, "/"):
		return below(base, path)
	}
	return base
}

// below appends a slash-separated path of plain names; a query stays.
func below(base *url.URL, path string) *url.URL {
	names := strings.Split(path, "/")
	for i, name := range names {
		names[i] = url.PathEscape(name)
	}
	u := *base
	u.RawPath = strings.TrimSuffix(base.EscapedPath(), "/") + "/" + strings.Join(names, "/")
	u.Path = strings.TrimSuffix(base.Path, "/") + "/" + path
	return &u
}
