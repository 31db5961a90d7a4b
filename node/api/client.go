package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/shoal-cdn/shoal"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// Limits on what a node may make its client read.
const (
	maxAnswer    = 64 << 20         // bytes of one answer
	maxEventLine = 64 << 10         // bytes of one line of a Seed's answer
	callTimeout  = 30 * time.Second // for a call that does not stream
)

// Client speaks to one node's HTTP API. It is safe for concurrent use.
//
// Errors are of the kinds in package shoal: what the node refused keeps its
// kind, [shoal.ErrUnavailable] means that it could not be reached or could not
// serve now. When ctx ends, the error is also ctx's.
type Client struct {
	base *url.URL
	http *http.Client
}

// NewClient returns a client for the node at baseURL, such as
// "http://127.0.0.1:7072". The error is of kind [shoal.ErrInvalid].
func NewClient(baseURL string) (*Client, error) {
	u, err := url.Parse(baseURL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, fmt.Errorf("node URL %q: %w: want http://HOST:PORT", baseURL, shoal.ErrInvalid)
	}
	return &Client{base: u, http: &http.Client{}}, nil
}

// Status asks the node about itself.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var s Status
	return s, c.call(ctx, http.MethodGet, nil, &s, "v1", "status")
}

// Contents lists what the node has and fetches.
func (c *Client) Contents(ctx context.Context) ([]Content, error) {
	var cs []Content
	return cs, c.call(ctx, http.MethodGet, nil, &cs, "v1", "contents")
}

// Content asks about one content; [shoal.ErrNotFound] where the node has none of it.
func (c *Client) Content(ctx context.Context, id shoal.ContentID) (Content, error) {
	var ct Content
	return ct, c.call(ctx, http.MethodGet, nil, &ct, "v1", "contents", id.String())
}

// Fetch has the node get a content. It returns once the node has begun.
func (c *Client) Fetch(ctx context.Context, f Fetch) (Content, error) {
	var ct Content
	return ct, c.call(ctx, http.MethodPost, f, &ct, "v1", "contents")
}

// Delete has the node forget a content. A copy that the node made is deleted,
// a file seeded in place is not.
func (c *Client) Delete(ctx context.Context, id shoal.ContentID) error {
	return c.call(ctx, http.MethodDelete, nil, nil, "v1", "contents", id.String())
}

// call sends in as JSON, unless it is nil, and reads the answer into out,
// unless that is nil.
func (c *Client) call(ctx context.Context, method string, in, out any, path ...string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	res, err := c.send(ctx, method, in, path...)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, maxAnswer)).Decode(out); err != nil {
		return fmt.Errorf("%s %s: read the answer: %w: %w", method, c.base, shoal.ErrUnavailable, err)
	}
	return nil
}

// send makes a request and turns an answer that is no success into an error.
// The caller closes the answer's body.
func (c *Client) send(ctx context.Context, method string, in any, path ...string) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w: %w", method, c.base, shoal.ErrInvalid, err)
		}
		body = bytes.NewReader(b)
	}
	u := c.base.JoinPath(path...).String()
	req, err := http.NewRequestWithContext(ctx, method, u, body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w: %w", method, u, shoal.ErrInvalid, err)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Accept", "application/json")
	res, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", shoal.ErrUnavailable, err) // names method and URL
	}
	if res.StatusCode/100 != 2 {
		defer res.Body.Close()
		return nil, fmt.Errorf("node %s: %w", c.base, tapi.ReadProblem(res))
	}
	return res, nil
}
