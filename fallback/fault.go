package fallback

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/shoal-cdn/shoal"
)

// faultKind is how a request went wrong.
type faultKind uint8

const (
	_ faultKind = iota

	// Another attempt may do better.
	unreachable // no connection
	stalled     // silence where bytes should come
	slow        // below the floor
	broken      // ended in mid-range
	busy        // says so itself: 5xx, 429
	changed     // another version of the file than before
	mixed       // a piece from several upstreams did not verify: whose fault is open

	// No attempt will.
	protocol    // the server speaks another one: not HTTP/1.1, to begin with
	refused     // 4xx and other statuses that are no answer
	unranged    // does not support ranges
	misranged   // another range, or another file, than was asked for
	endless     // more bytes than announced
	misdirected // redirects in a loop, or to where it must not
	forbidden   // an address that the guard refuses
	untrusted   // cannot prove who it is
	corrupted   // bytes that do not verify
)

func (k faultKind) final() bool { return k >= protocol }

// fault is what an upstream did wrong.
type fault struct {
	kind  faultKind
	err   error
	after time.Duration // how long it asked to be left alone; 0: not said
}

func (f *fault) Error() string { return f.err.Error() }
func (f *fault) Unwrap() error { return f.err }

func faultf(kind faultKind, format string, args ...any) *fault {
	return &fault{kind: kind, err: fmt.Errorf(format, args...)}
}

// errSilence cancels a request that the watchdog gave up.
var errSilence = errors.New("silence")

// requestFault classifies the error of a request that got no answer. waited is
// how long it took.
func requestFault(err error, waited time.Duration) *fault {
	// The URL may be a secret, and whoever reads this knows the upstream's name.
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	timeout := false
	if e, ok := errors.AsType[net.Error](err); ok {
		timeout = e.Timeout()
	}
	alert := ""
	if e, ok := errors.AsType[*net.OpError](err); ok && e.Op == "remote error" { // crypto/tls
		alert = e.Err.Error()
	}
	_, badCertificate := errors.AsType[*tls.CertificateVerificationError](err)
	_, noTLS := errors.AsType[tls.RecordHeaderError](err)
	switch {
	case errors.Is(err, errRefused):
		return faultf(forbidden, "connect: %w", err)
	case errors.Is(err, errRedirects) || errors.Is(err, errRedirectedTo):
		return faultf(misdirected, "%w", err)
	case alert == noApplicationProtocol:
		return faultf(protocol, "connect: %w: it speaks another protocol", shoal.ErrUnavailable)
	case alert != "", badCertificate, noTLS, errors.Is(err, http.ErrSchemeMismatch), errors.Is(err, shoal.ErrCorrupt), errors.Is(err, shoal.ErrInvalid):
		return faultf(untrusted, "connect over TLS: %w", err)
	case timeout || errors.Is(err, context.DeadlineExceeded):
		return faultf(unreachable, "%w: no connection within %s", shoal.ErrUnavailable, round(waited))
	}
	return faultf(unreachable, "request: %w: %w", shoal.ErrUnavailable, err)
}

// noApplicationProtocol is how crypto/tls words the alert where ALPN finds nothing
// in common (RFC 7301 §3.2); the type is its own.
const noApplicationProtocol = "tls: no application protocol"

// silenceFault is for a request or body that the watchdog ended.
func silenceFault(during string, waited time.Duration) *fault {
	return faultf(stalled, "%s: %w: no byte for %s", during, shoal.ErrUnavailable, round(waited))
}

// bodyFault classifies the error of a body that ended too early.
func bodyFault(err error, got, want int64) *fault {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return faultf(broken, "%w: the transfer ended after %d of %d bytes", shoal.ErrUnavailable, got, want)
	}
	return faultf(broken, "%w: the transfer broke after %d of %d bytes: %w", shoal.ErrUnavailable, got, want, err)
}

func round(d time.Duration) time.Duration {
	if d >= time.Second {
		return d.Round(100 * time.Millisecond)
	}
	return d.Round(time.Millisecond)
}
