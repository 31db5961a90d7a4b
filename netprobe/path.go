package netprobe

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/shoal-cdn/shoal"
)

// Transport is what carries HTTP: TCP with or without TLS, or QUIC (HTTP/3).
type Transport string

const (
	TCP  Transport = "tcp"
	QUIC Transport = "quic"
)

// Target is a gateway's base URL and whose it is.
type Target struct {
	Node shoal.NodeID // "" where it is not known
	URL  string       // as [ParseTarget] returns it
}

// maxURLBytes bounds a base URL; trackers pass on what nodes say.
const maxURLBytes = 1024

// ParseTarget reads a base URL, http://HOST:PORT or https://HOST:PORT, with or
// without a path; HOST:PORT alone is https. The error is of kind
// [shoal.ErrInvalid].
func ParseTarget(s string) (Target, error) {
	full := s
	if !strings.Contains(s, "://") {
		full = "https://" + s
	}
	u, err := url.Parse(full)
	if err != nil || len(s) > maxURLBytes || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" ||
		u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return Target{}, fmt.Errorf("gateway %.200q: %w: want http://HOST:PORT, https://HOST:PORT or HOST:PORT", s, shoal.ErrInvalid)
	}
	return Target{URL: strings.TrimRight(full, "/")}, nil
}

// Transports are those that the URL allows: QUIC has no form without TLS.
func (t Target) Transports() []Transport {
	if t.secure() {
		return []Transport{TCP, QUIC}
	}
	return []Transport{TCP}
}

func (t Target) secure() bool { return strings.HasPrefix(t.URL, "https://") }

// Path is one way to a gateway.
type Path struct {
	Target
	Transport Transport
}

func (p Path) String() string { return p.URL + " over " + p.Transport.title() }

func (t Transport) title() string { return strings.ToUpper(string(t)) }
