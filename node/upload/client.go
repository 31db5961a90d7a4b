package upload

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/netprobe"
	"github.com/shoal-cdn/shoal/node/ingest/api"
)

const (
	callTime       = 15 * time.Second // for a call without chunks
	describeTime   = 5 * time.Minute  // for one with a .torrent file
	completeTime   = 2 * api.CompleteWait
	maxAnswerBytes = 1 << 20
)

// client speaks the protocol of node/ingest/api over one transport. It is safe
// for concurrent use, though requests then wait for each other.
type client struct {
	*transport
	base string
}

// status is an [api.Status] that was checked against the description.
type status struct {
	api.Status
	missing []span
}

// refusal says which chunks of a request did not verify.
type refusal struct {
	chunks []span
	cause  error
}

func (e *refusal) Error() string { return e.cause.Error() }
func (e *refusal) Unwrap() error { return e.cause }

// unwilling is an error of a server that will not take the upload as things are:
// to ask it again soon is of no use.
type unwilling struct{ error }

func (e unwilling) Unwrap() error { return e.error }

// lost is an error that says that the server does not know the upload any more,
// or not as what the client takes it for: it has to be described again.
type lost struct{ error }

func (e lost) Unwrap() error { return e.error }

func (d *dialer) client(p netprobe.Path) (*client, error) {
	t, err := d.open(p)
	if err != nil {
		return nil, err
	}
	return &client{t, p.URL}, nil
}

// describe begins an upload, or resumes it.
func (c *client) describe(ctx context.Context, d api.Description) (status, error) {
	text, err := json.Marshal(d)
	if err != nil {
		return status{}, err
	}
	s, err := c.statusOf(ctx, describeTime, http.MethodPost, api.Path, text, d.Chunks)
	if p, ok := errors.AsType[*api.Problem](err); ok && isUnwilling(p.Status) {
		err = unwilling{err}
	}
	return s, err
}

// status asks what the server has. Chunks that it lists no room for count as missing.
func (c *client) status(ctx context.Context, task string, chunks int) (status, error) {
	return c.statusOf(ctx, callTime, http.MethodGet, api.UploadPath(task), nil, chunks)
}

// complete ends the upload. Where chunks are missing it returns them with an error
// that is a [*api.Problem].
func (c *client) complete(ctx context.Context, task string, chunks int) (status, error) {
	for {
		s, err := c.statusOf(ctx, completeTime, http.MethodPost, api.CompletePath(task), nil, chunks)
		if err != nil || s.State != api.Verifying && s.State != api.Receiving {
			return s, err
		}
		if err := pause(ctx, time.Second); err != nil {
			return s, err
		}
	}
}

// cancel has the server delete what it has of an upload.
func (c *client) cancel(ctx context.Context, task string) error {
	ctx, stop := context.WithTimeout(ctx, callTime)
	defer stop()
	_, err := c.call(ctx, http.MethodDelete, api.UploadPath(task), nil, nil)
	if errors.Is(err, shoal.ErrNotFound) {
		return nil
	}
	return err
}

func (c *client) statusOf(ctx context.Context, limit time.Duration, method, path string, body []byte, chunks int) (status, error) {
	ctx, stop := context.WithTimeout(ctx, limit)
	defer stop()
	var r io.Reader
	if body != nil {
		r = bytes.NewReader(body)
	}
	text, err := c.call(ctx, method, path, r, nil)
	if err != nil {
		return status{}, err
	}
	s, err := decodeStatus(text, chunks)
	if err != nil {
		return s, fmt.Errorf("answer of %s: %w", c.base, err)
	}
	return s, nil
}

// decodeStatus reads a server's word on an upload of so many chunks. The error is
// of kind [shoal.ErrCorrupt].
func decodeStatus(text []byte, chunks int) (status, error) {
	var s status
	if err := json.Unmarshal(text, &s.Status); err != nil {
		return s, fmt.Errorf("%w: %w", shoal.ErrCorrupt, err)
	}
	ok := false
	if s.missing, ok = checkMissing(spansOf(s.Missing), chunks); !ok || s.Chunks != chunks {
		return status{}, fmt.Errorf("%w: chunks that there are not", shoal.ErrCorrupt)
	}
	if n := len(s.missing); n >= api.MaxMissing {
		if end := s.missing[n-1].end(); end < chunks {
			s.missing = append(s.missing, span{end, chunks - end})
		}
	}
	return s, nil
}

// put sends chunks. It returns nil when they are on the server's stable storage.
// A careful one asks first (RFC 9110 §10.1.1): a server that refuses and hangs up
// while a body is on its way may not be heard.
func (c *client) put(ctx context.Context, task string, chunks span, digest api.Digest, b *body, careful bool) error {
	header := http.Header{api.ContentDigest: {digest.Field()}, "Content-Type": {"application/octet-stream"}}
	if careful {
		header.Set("Expect", "100-continue")
	}
	text, err := c.call(ctx, http.MethodPut, api.ChunksPath(task, chunks.first, chunks.count), b, header)
	p, ok := errors.AsType[*api.Problem](err)
	switch {
	case err == nil:
		return checkAck(c.base, text)
	case !ok:
		return err
	case p.Status == http.StatusUnprocessableEntity:
		refused, ok := checkMissing(spansOf(p.Refused), chunks.end())
		if !ok {
			refused = []span{chunks}
		}
		return &refusal{refused, err}
	case p.Status == http.StatusNotFound, p.Status == http.StatusConflict:
		return lost{err}
	case isUnwilling(p.Status):
		return unwilling{err}
	}
	return err
}

// checkAck believes only what the protocol's own server says: others, such as the
// sign-in page of a network, answer with success too.
func checkAck(base string, text []byte) error {
	var ack struct {
		Next    *int      `json:"next"`
		Missing []api.Run `json:"missing"`
	}
	switch err := json.Unmarshal(text, &ack); {
	case err != nil || ack.Next == nil:
		return fmt.Errorf("answer of %s: %w: no acknowledgement", base, shoal.ErrCorrupt)
	case len(ack.Missing) > 0:
		return fmt.Errorf("answer of %s: %w: chunks are still missing", base, shoal.ErrUnavailable)
	}
	return nil
}

// isUnwilling tells statuses by which a server refuses an upload from those that
// pass by themselves.
func isUnwilling(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests:
		return false
	case http.StatusInsufficientStorage:
		return true
	}
	return status >= 400 && status < 500
}

// call returns the body of an answer with a status of success. Redirects are not
// followed: what is sent is for the server that was chosen.
func (c *client) call(ctx context.Context, method, path string, body io.Reader, header http.Header) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w: %w", method, c.base, shoal.ErrInvalid, err)
	}
	if header != nil {
		req.Header = header
	} else if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if b, ok := body.(interface{ size() int64 }); ok {
		req.ContentLength = b.size()
	}
	req.Header.Set("Accept", "application/json")
	resp, err := c.RoundTrip(req)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", c.base, shoal.ErrUnavailable, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return nil, fmt.Errorf("%s: %w", c.base, api.ReadProblem(resp))
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes))
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", c.base, shoal.ErrUnavailable, err)
	}
	return text, nil
}

func spansOf(runs []api.Run) []span {
	spans := make([]span, len(runs))
	for i, r := range runs {
		spans[i] = span{r.First, r.Count}
	}
	return spans
}
