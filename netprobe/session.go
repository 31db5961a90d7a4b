package netprobe

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/shoal-cdn/shoal"
)

const (
	// connectTime bounds opening a connection, TLS included, and each request
	// for no bytes.
	connectTime = 3 * time.Second

	maxHeaderBytes = 16 << 10 // of an answer
	maxAnswerBytes = 4 << 10  // of the answer to a POST
)

// session is one connection to a Handler. It is never opened anew: what is
// counted on it would not add up.
type session struct {
	rt    http.RoundTripper
	url   string
	own   counter // of this end
	close func()
}

// open makes a connection. conf is nil for http and is taken over.
func open(ctx context.Context, p Path, conf *tls.Config) (*session, error) {
	u, err := url.Parse(p.URL + Endpoint)
	if err != nil {
		return nil, fmt.Errorf("connect: %w: %w", shoal.ErrInvalid, err)
	}
	host := u.Host
	if u.Port() == "" {
		host = net.JoinHostPort(u.Hostname(), u.Scheme) // "https" is a port's name
	}
	if conf != nil && conf.ServerName == "" {
		conf.ServerName = u.Hostname()
	}
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	var s *session
	switch {
	case p.Transport == TCP:
		s, err = openTCP(ctx, host, conf)
	case p.Transport == QUIC && conf != nil:
		s, err = openQUIC(ctx, host, conf)
	default:
		err = fmt.Errorf("%s by %q: %w", p.URL, p.Transport, shoal.ErrInvalid)
	}
	if err != nil {
		return nil, unavailable("connect", connectTime, err)
	}
	s.url = u.String()
	return s, nil
}

// get downloads at most n bytes for at most span and adds to m what comes. It
// returns what the other end had sent on the connection before.
func (s *session) get(ctx context.Context, n int64, span time.Duration, m *meter) (Loss, error) {
	start := time.Now()
	url := fmt.Sprintf("%s?bytes=%d&ms=%d", s.url, n, span.Milliseconds())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return Loss{}, err
	}
	resp, err := s.do(req)
	if err != nil {
		return Loss{}, err
	}
	defer resp.Body.Close()
	sent := lossFromHeader(resp.Header)
	if resp.ContentLength > n {
		return sent, fmt.Errorf("%w: %d bytes announced, %d asked for", shoal.ErrCorrupt, resp.ContentLength, n)
	}
	buf := make([]byte, min(n+1, 64<<10))
	for {
		k, err := resp.Body.Read(buf)
		if k > 0 {
			m.add(time.Since(start), k)
		}
		switch {
		case m.last.bytes > n:
			return sent, fmt.Errorf("%w: more than the %d bytes asked for", shoal.ErrCorrupt, n)
		case err == io.EOF:
			return sent, nil
		case err != nil:
			return sent, err
		}
	}
}

// post uploads a body.
func (s *session) post(ctx context.Context, body *filler) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, body)
	if err != nil {
		return err
	}
	req.ContentLength = -1 // it ends when its time is over
	req.Header.Set("Content-Type", "application/octet-stream")
	resp, err := s.do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes))
	if err != nil {
		return err
	}
	var r received
	if err := json.Unmarshal(text, &r); err != nil {
		return fmt.Errorf("%w: answer: %w", shoal.ErrCorrupt, err)
	}
	if m, all := body.taken(); !all || r.Bytes != m.last.bytes {
		return fmt.Errorf("%w: the gateway says that it got %d bytes, sent %d", shoal.ErrCorrupt, r.Bytes, m.last.bytes)
	}
	return nil
}

// do returns an answer of status 200 only. Redirects are not followed: they
// lead to another path.
func (s *session) do(req *http.Request) (*http.Response, error) {
	req.Header.Set("Accept-Encoding", "identity")
	resp, err := s.rt.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	resp.Body.Close()
	kind := shoal.ErrUnavailable
	switch resp.StatusCode {
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return nil, fmt.Errorf("status %d: %w: no probe at %s", resp.StatusCode, shoal.ErrNotFound, s.url)
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		return nil, fmt.Errorf("status %d: %w: the gateway is busy", resp.StatusCode, kind)
	}
	return nil, fmt.Errorf("status %d: %w", resp.StatusCode, kind)
}

// unavailable names the operation and gives the error of a connection its
// kind. A context's deadline is put into words: within is what it was.
func unavailable(op string, within time.Duration, err error) error {
	for _, kind := range []error{shoal.ErrInvalid, shoal.ErrNotFound, shoal.ErrCorrupt, shoal.ErrUnavailable} {
		if errors.Is(err, kind) {
			return fmt.Errorf("%s: %w", op, err)
		}
	}
	if isTimeout(err) {
		return fmt.Errorf("%s: %w: no answer within %s", op, shoal.ErrUnavailable, within)
	}
	if errors.Is(err, http.ErrSchemeMismatch) {
		return fmt.Errorf("%s: %w: the gateway has no TLS there; try http://", op, shoal.ErrUnavailable)
	}
	return fmt.Errorf("%s: %w: %w", op, shoal.ErrUnavailable, err)
}

func isTimeout(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout() || errors.Is(err, context.DeadlineExceeded)
}
