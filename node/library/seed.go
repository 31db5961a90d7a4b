package library

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/shoal-cdn/shoal"
)

// registerTime is how long Seed tries to reach a tracker once the hashing is done.
const registerTime = 15 * time.Second

// Seed hashes the file or folder at path, which is absolute, registers it
// with the tracker, and serves it in place as its origin. It returns once the
// content can be fetched from here. webSeeds are as [shoal.Manifest.WithWebSeeds]
// takes them; progress is as in [shoal.BuildOptions].
//
// Seeding what is seeded already does no harm, and takes note of another path
// or of changed times. A content of which the node has a complete copy is
// served from that copy. One that is being fetched or uploaded is [shoal.ErrConflict].
func (l *Library) Seed(ctx context.Context, path string, webSeeds []string, progress func(hashed, total int64)) (*shoal.Manifest, error) {
	m, err := shoal.BuildManifest(ctx, path, shoal.BuildOptions{Progress: progress})
	if err != nil {
		return nil, err
	}
	if m, err = m.WithWebSeeds(webSeeds); err != nil {
		return nil, fmt.Errorf("seed %s: %w", path, err)
	}
	return m, l.SeedHashed(ctx, m, func() (string, error) { return path, nil })
}

// SeedHashed is Seed for what m was just built from. keep is called once the
// tracker knows m, and returns the path; it may move it there only then, since
// without a tracker nothing is seeded.
func (l *Library) SeedHashed(ctx context.Context, m *shoal.Manifest, keep func() (path string, err error)) error {
	if err := l.register(ctx, m); err != nil {
		return fmt.Errorf("seed %s: %w", m.Name(), err)
	}
	path, err := keep()
	if err == nil {
		err = l.place(ctx, m, path)
	}
	if err != nil {
		return fmt.Errorf("seed %s: %w", m.Name(), err)
	}
	return nil
}

// register tells the tracker of m. Without it no other node could learn what
// to fetch, so a seed does not begin before a tracker knows it.
func (l *Library) register(ctx context.Context, m *shoal.Manifest) error {
	if l.cfg.Torrents == nil {
		return nil // peers ask this node
	}
	torrent := m.Torrent()
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		_, err := l.cfg.Torrents.PutContent(ctx, torrent)
		if err != nil && !errors.Is(err, shoal.ErrUnavailable) {
			err = backoff.Permanent(err)
		}
		return struct{}{}, err
	}, backoff.WithMaxElapsedTime(registerTime))
	if errors.Is(err, shoal.ErrUnavailable) && ctx.Err() == nil {
		return fmt.Errorf("%w; nothing is seeded: seed it again once a tracker is up", err)
	}
	return err
}

// place starts to serve m from path.
func (l *Library) place(ctx context.Context, m *shoal.Manifest, path string) error {
	l.op.Lock()
	defer l.op.Unlock()
	if l.ctx.Err() != nil {
		return fmt.Errorf("%w: %w", shoal.ErrUnavailable, ErrClosing)
	}
	u := l.find(m.ID())
	if u != nil {
		copied, complete := u.copied()
		switch {
		case copied && complete:
			return nil
		case u.hosted != nil:
			return fmt.Errorf("%w: the content is being uploaded; wait for that or delete the upload", shoal.ErrConflict)
		case copied:
			return fmt.Errorf("%w: the content is being fetched; wait for that or remove it first", shoal.ErrConflict)
		}
		u.halt(errRenewed)
	}
	c, err := l.cfg.Store.Seed(m, path)
	if err == nil {
		err = c.Close() // the unit opens it for itself
	}
	if err != nil {
		if u != nil {
			u.start()
		}
		return err
	}
	if u == nil {
		u = l.add(m.ID(), record{}, false)
	}
	u.start()
	select {
	case <-u.ready:
		return u.failure()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// copied reports whether the content is, or is going to be, a copy that the
// node made or that was uploaded to it, and whether that is complete.
func (u *unit) copied() (copied, complete bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	copied = u.hosted != nil || u.content != nil && !u.inPlace || u.content == nil && u.wanted
	return copied, u.complete
}

// failure is why the unit ended; nil while it runs.
func (u *unit) failure() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.err
}
