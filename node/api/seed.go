package api

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/shoal-cdn/shoal"
)

// Seed has the node hash, register and serve path, which is absolute and in
// the node's file system. Unless it is nil, progress is called from the
// calling goroutine with the bytes hashed so far and in all. Ending ctx
// cancels the hashing; there is no other time limit, since hashing takes as
// long as the content is large.
func (c *Client) Seed(ctx context.Context, path string, progress func(hashed, total int64)) (Seeded, error) {
	res, err := c.send(ctx, http.MethodPost, Seed{Path: path}, "v1", "seeds")
	if err != nil {
		return Seeded{}, err
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, maxEventLine)
	for lines.Scan() {
		var ev SeedEvent
		if err := json.Unmarshal(lines.Bytes(), &ev); err != nil {
			return Seeded{}, fmt.Errorf("seed %q: read the answer: %w: %w", path, shoal.ErrUnavailable, err)
		}
		switch {
		case ev.Error != "":
			return Seeded{}, fmt.Errorf("seed %q: %w", path, errors.New(ev.Error))
		case ev.Done != nil:
			return *ev.Done, nil
		case progress != nil:
			progress(ev.Hashed, ev.Total)
		}
	}
	err = lines.Err()
	if err == nil {
		err = errors.New("the node closed the connection before it was done")
	}
	return Seeded{}, fmt.Errorf("seed %q: %w: %w", path, shoal.ErrUnavailable, err)
}
