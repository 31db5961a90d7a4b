package api

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/shoal-cdn/shoal"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// Seed has the node hash, register and serve path, which is absolute and in
// the node's file system. Unless it is nil, progress is called from the
// calling goroutine with the bytes hashed so far and in all. Ending ctx
// cancels the hashing; there is no other time limit, since hashing takes as
// long as the content is large.
func (c *Client) Seed(ctx context.Context, path string, progress func(hashed, total int64)) (Seeded, error) {
	return c.SeedFrom(ctx, Seed{Path: path}, func(ev SeedEvent) {
		if progress != nil {
			progress(ev.Hashed, ev.Total)
		}
	})
}

// SeedFrom is Seed of a path or a URL, with all that can be said about it.
// progress is called for every event but the last one.
func (c *Client) SeedFrom(ctx context.Context, s Seed, progress func(SeedEvent)) (Seeded, error) {
	seeded, err := c.seed(ctx, s, progress)
	if err != nil {
		return Seeded{}, fmt.Errorf("seed %q: %w", cmp.Or(s.URL, s.Path), err)
	}
	return seeded, nil
}

func (c *Client) seed(ctx context.Context, s Seed, progress func(SeedEvent)) (Seeded, error) {
	res, err := c.send(ctx, http.MethodPost, s, "v1", "seeds")
	if err != nil {
		return Seeded{}, err
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, maxEventLine)
	for lines.Scan() {
		var ev SeedEvent
		if err := json.Unmarshal(lines.Bytes(), &ev); err != nil {
			return Seeded{}, fmt.Errorf("read the answer: %w: %w", shoal.ErrUnavailable, err)
		}
		switch {
		case ev.Error != "" && ev.Kind != "":
			return Seeded{}, &tapi.Problem{Detail: ev.Error, Kind: ev.Kind}
		case ev.Error != "":
			return Seeded{}, errors.New(ev.Error)
		case ev.Done != nil:
			return *ev.Done, nil
		case progress != nil:
			progress(ev)
		}
	}
	err = lines.Err()
	if err == nil {
		err = errors.New("the node closed the connection before it was done")
	}
	return Seeded{}, fmt.Errorf("%w: %w", shoal.ErrUnavailable, err)
}
