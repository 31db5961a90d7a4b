package uploads

import (
	"context"
	"errors"
	"io"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/ingest/api"
)

// verifyInTurn is verify, of which a bounded number read data at a time.
func (u *Upload) verifyInTurn(ctx context.Context) (m *shoal.Manifest, wrong []int, err error) {
	u.mu.Lock()
	proven := u.chunks.m != nil && u.proven.Full()
	u.mu.Unlock()
	if !proven {
		select {
		case u.store.hashing <- struct{}{}:
			defer func() { <-u.store.hashing }()
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		}
	}
	return u.verify(ctx)
}

// verify makes the manifest, or hashes what this process has not, and tells which
// chunks are wrong.
func (u *Upload) verify(ctx context.Context) (m *shoal.Manifest, wrong []int, err error) {
	if u.chunks.m == nil {
		return u.describe(ctx)
	}
	u.mu.Lock()
	proven := u.proven.Clone()
	u.mu.Unlock()
	var mu sync.Mutex
	g, hashing := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for k := range u.chunks.n {
		if proven.Has(k) {
			continue
		}
		if hashing.Err() != nil {
			break
		}
		g.Go(func() error {
			data, err := u.ReadPiece(k)
			if err != nil && !errors.Is(err, io.EOF) {
				return err
			}
			ok := err == nil && u.chunks.m.VerifyPiece(k, data)
			mu.Lock()
			defer mu.Unlock()
			if !ok {
				wrong = append(wrong, k)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, nil, err
	}
	slices.Sort(wrong)
	return u.chunks.m, wrong, context.Cause(ctx)
}

// describe hashes a single file, for its manifest and against the digests of its chunks.
func (u *Upload) describe(ctx context.Context) (m *shoal.Manifest, wrong []int, err error) {
	h, err := shoal.NewFileHasher(u.rec.Name)
	if err != nil {
		return nil, nil, err
	}
	u.mu.Lock()
	if u.complete() { // by another process: its record says what it is
		defer u.mu.Unlock()
		return u.manifest, nil, nil
	}
	digests := u.digests
	if !u.digested {
		digests = slices.Clone(u.ledger.digests)
	}
	u.mu.Unlock()
	for k := range u.chunks.n {
		if ctx.Err() != nil {
			return nil, nil, context.Cause(ctx)
		}
		data, err := u.ReadPiece(k)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, nil, err
		}
		if err != nil || api.DigestOf(data) != digests[k] {
			wrong = append(wrong, k)
			continue
		}
		if _, err := h.Write(data); err != nil {
			return nil, nil, err
		}
	}
	if len(wrong) > 0 {
		return nil, wrong, nil
	}
	m, err = h.Manifest()
	return m, nil, err
}
