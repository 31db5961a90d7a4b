package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/shoal-cdn/shoal"
)

const (
	// attemptTimeout bounds one try at one tracker, without the time for
	// which the answer may be held back and without that a large body takes.
	attemptTimeout = 15 * time.Second
	// bodyTimeout is added where .torrent files travel.
	bodyTimeout = 4 * time.Minute

	maxResponseBytes = 64 << 20
)

// Client talks to a tracker that can be reached at several URLs. It asks the
// one that answered last; when that cannot be reached or answers with a 5xx
// status, it asks the others in turn. It is safe for concurrent use.
//
// Errors are of the kinds in package shoal: what the tracker refused keeps
// its kind, [shoal.ErrUnavailable] means that no tracker could serve the
// request; [Answered] tells whether one was there at all. When ctx ends, the error is also ctx's.
type Client struct {
	urls []string
	hc   *http.Client
	last atomic.Int64 // index of the URL that answered last, -1 before the first answer
}

// keepAlive has a call that waits for its answer notice within seconds that the
// tracker's machine has vanished without a word, and started again (B4).
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 3 * time.Second, Interval: 2 * time.Second, Count: 4}

// NewClient returns a client for the trackers at urls. Where hc is nil a
// default is taken; an hc with a Timeout must leave room for held answers
// ([MaxWait]). An empty list and a malformed URL are [shoal.ErrInvalid].
func NewClient(urls []string, hc *http.Client) (*Client, error) {
	if len(urls) == 0 {
		return nil, fmt.Errorf("tracker client: %w: no tracker URL", shoal.ErrInvalid)
	}
	c := &Client{hc: hc}
	for _, s := range urls {
		u, err := url.Parse(s)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
			return nil, fmt.Errorf("tracker client: %w: tracker URL %s: want http://HOST:PORT", shoal.ErrInvalid, quote(s))
		}
		c.urls = append(c.urls, strings.TrimRight(s, "/"))
	}
	if c.hc == nil {
		c.hc = &http.Client{Transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: 5 * time.Second, KeepAliveConfig: keepAlive}).DialContext,
			TLSHandshakeTimeout:   5 * time.Second,
			ExpectContinueTimeout: time.Second,
			IdleConnTimeout:       time.Minute,
			MaxIdleConnsPerHost:   4,
			ForceAttemptHTTP2:     true,
		}}
	}
	c.last.Store(-1)
	return c, nil
}

// NoTracker returns a client for a node that runs without trackers: all of its calls
// fail with [shoal.ErrUnavailable].
func NoTracker() *Client {
	c := &Client{}
	c.last.Store(-1)
	return c
}

// errNoTracker is why a client without trackers fails.
var errNoTracker = errors.New("there is no tracker")

// Answered reports whether err, of a [Client], is what a tracker said: one that
// could be reached has a trouble of its own, or refused. It is false where no
// HTTP answer came; of several trackers that failed, one that answered is enough.
func Answered(err error) bool {
	_, ok := errors.AsType[*Problem](err)
	return ok || errors.Is(err, shoal.ErrCorrupt) // an answer that cannot be read
}

// Last is the URL of the tracker that answered last, "" before any did.
func (c *Client) Last() string {
	if i := c.last.Load(); i >= 0 {
		return c.urls[i]
	}
	return ""
}

// request is one call, apart from whom it goes to.
type request struct {
	op      string // for errors: "announce"
	method  string
	path    string
	ctype   string
	body    []byte
	patient time.Duration // beyond attemptTimeout
}

// do sends r to one tracker after the other and returns the body of the first
// answer that isn't a 5xx.
func (c *Client) do(ctx context.Context, r request) ([]byte, error) {
	if len(c.urls) == 0 {
		return nil, fmt.Errorf("%s: %w: %w", r.op, shoal.ErrUnavailable, errNoTracker)
	}
	first := int(max(c.last.Load(), 0))
	var errs []error
	for n := range c.urls {
		i := (first + n) % len(c.urls)
		body, status, err := c.try(ctx, c.urls[i], r)
		if status != 0 && status < 500 {
			c.last.Store(int64(i))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", r.op, err)
			}
			return body, nil
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("%s: %w: %w", r.op, shoal.ErrUnavailable, context.Cause(ctx))
		}
		errs = append(errs, fmt.Errorf("tracker %s: %w", c.urls[i], err))
	}
	err := errors.Join(errs...)
	if len(errs) == 1 {
		err = errs[0]
	}
	if errors.Is(err, shoal.ErrUnavailable) {
		return nil, fmt.Errorf("%s: %w", r.op, err)
	}
	return nil, fmt.Errorf("%s: %w: %w", r.op, shoal.ErrUnavailable, err)
}

// try sends r to one tracker. The status is 0 where no complete answer came.
func (c *Client) try(ctx context.Context, base string, r request) (body []byte, status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout+r.patient)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, r.method, base+r.path, bytes.NewReader(r.body))
	if err != nil {
		return nil, 0, err
	}
	if r.ctype != "" {
		req.Header.Set("Content-Type", r.ctype)
	}
	req.Header.Set("Accept", "application/json")
	resp, err := c.hc.Do(req)
	if err != nil {
		return nil, 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 400 {
		return nil, resp.StatusCode, ReadProblem(resp)
	}
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxResponseBytes+1))
	if err != nil {
		return nil, 0, err
	}
	if len(body) > maxResponseBytes {
		return nil, resp.StatusCode, fmt.Errorf("answer: %w: larger than %d bytes", shoal.ErrCorrupt, maxResponseBytes)
	}
	return body, resp.StatusCode, nil
}

// call is do with JSON both ways; in may be nil.
func call[Out any](ctx context.Context, c *Client, r request, in any) (out Out, err error) {
	if in != nil {
		if r.body, err = json.Marshal(in); err != nil {
			return out, fmt.Errorf("%s: %w: %w", r.op, shoal.ErrInvalid, err)
		}
		r.ctype = "application/json"
	}
	body, err := c.do(ctx, r)
	if err != nil {
		return out, err
	}
	if err := json.Unmarshal(body, &out); err != nil {
		return out, fmt.Errorf("%s: answer of %s: %w: %w", r.op, c.Last(), shoal.ErrCorrupt, err)
	}
	return out, nil
}
