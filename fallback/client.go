package fallback

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"time"
)

const (
	maxRedirects   = 5
	maxHeaderBytes = 32 << 10 // of an answer
	readBuffer     = 64 << 10
)

// NewClient is a client for URLs that somebody else chose. Connections go only
// where g allows, redirects included; nil: anywhere. There are no proxies, no
// cookies and no decompression, redirects and header sizes are bounded, and so
// are the times to connect and to answer; that for a body is up to the
// requests' contexts. conf is how servers are verified; nil: by name and the system's
// authorities.
func NewClient(g *Guard, conf *tls.Config) *http.Client {
	limits := Limits{}.withDefaults()
	d := &net.Dialer{Timeout: limits.Connect, Control: g.control}
	t := newTransport(d.DialContext, conf, limits.Connect)
	t.Protocols.SetHTTP2(true)
	t.ResponseHeaderTimeout = limits.Answer
	t.IdleConnTimeout = time.Minute
	return &http.Client{Transport: t, CheckRedirect: checkRedirect}
}

type dialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// newTransport speaks HTTP/1.1: several streams on one TCP connection share its
// congestion window, so ranges gain nothing from HTTP/2 where packets get lost.
func newTransport(dial dialFunc, conf *tls.Config, handshake time.Duration) *http.Transport {
	t := &http.Transport{
		DialContext:            dial,
		TLSClientConfig:        conf.Clone(),
		TLSHandshakeTimeout:    handshake,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHeaderBytes,
		ReadBufferSize:         readBuffer,
		Protocols:              new(http.Protocols),
	}
	t.Protocols.SetHTTP1(true)
	return t
}

var (
	errRedirects    = errors.New("redirected too often")
	errRedirectedTo = errors.New("redirected to a URL that cannot be fetched from")
)

// checkRedirect is an [http.Client]'s CheckRedirect.
func checkRedirect(req *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return errRedirects
	}
	if err := CheckURL(req.URL); err != nil {
		return errors.Join(errRedirectedTo, err)
	}
	req.Header.Del("Referer") // a presigned URL is a secret
	return nil
}
