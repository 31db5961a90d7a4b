package spool

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/upload"
)

// keeper keeps the record of an item that is being sent.
type keeper struct {
	spool   *Spool
	sending Sending

	mu    sync.Mutex // guards item
	item  Item
	saved time.Time
}

// hashed keeps the manifest: first the digests, then the record that names them.
func (k *keeper) hashed(m *shoal.Manifest) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.spool.writeFile(k.item.Task+torrentSuffix, m.Torrent()); err != nil {
		return err
	}
	k.item.Content, k.item.Size = m.ID().String(), m.Size()
	return k.spool.put(k.item)
}

// candidates asks who can be sent to, and remembers it.
func (k *keeper) candidates(ctx context.Context) ([]upload.Candidate, error) {
	k.mu.Lock()
	it := k.item
	k.mu.Unlock()
	cs, err := k.sending.Candidates(ctx, it)
	away := err != nil && errors.Is(err, shoal.ErrUnavailable) || err == nil && len(cs) == 0
	switch {
	case away && len(it.Candidates) > 0 && ctx.Err() == nil:
		return it.Candidates, nil
	case err != nil:
		return nil, err
	}
	cs = cs[:min(len(cs), maxCandidates)]
	k.mu.Lock()
	defer k.mu.Unlock()
	if !slices.EqualFunc(cs, k.item.Candidates, sameCandidate) {
		k.item.Candidates = slices.Clone(cs)
		return cs, k.spool.put(k.item)
	}
	return cs, nil
}

// probed remembers what was measured, for the next time.
func (k *keeper) probed(m []upload.Measured) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.item.Measured = m[:min(len(m), maxMeasured)]
	_ = k.spool.put(k.item) // else it is measured again
}

func sameCandidate(a, b upload.Candidate) bool {
	return a.Name == b.Name && a.Node == b.Node && a.Locality == b.Locality && slices.Equal(a.URLs, b.URLs)
}

// progress passes on how far it is, and now and then keeps it.
func (k *keeper) progress(p upload.Progress) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.item.Sent = min(p.Done, k.item.Size)
	if time.Since(k.saved) >= saveEvery {
		k.saved = time.Now()
		_ = k.spool.put(k.item) // for people; the server knows better
	}
	if k.sending.Progress != nil {
		k.sending.Progress(k.item, p)
	}
}

// end enters how it went.
func (k *keeper) end(err error) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	it := &k.item
	switch {
	case err == nil:
		it.State, it.Sent = Done, it.Size
		return errors.Join(k.spool.put(*it), k.spool.dropData(*it))
	case hopeless(err):
		it.State, it.Error = Failed, err.Error()
	default:
		it.State, it.Error = Waiting, err.Error()
	}
	return k.spool.put(*it)
}

// hopeless reports whether an error stays however long one waits.
func hopeless(err error) bool {
	if errors.Is(err, shoal.ErrUnavailable) {
		return false
	}
	for _, kind := range []error{shoal.ErrChanged, shoal.ErrInvalid, shoal.ErrConflict} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}
