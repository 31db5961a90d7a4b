package library

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"golang.org/x/sync/singleflight"

	"github.com/shoal-cdn/shoal"
)

const (
	lookUpTime = 10 * time.Second // for a tracker to answer, in one try, and for a peer after that
	maxLookUps = 16               // at a time: whoever asks for a content may be anybody
	// strangerTime is for peers to tell what the tracker does not know.
	strangerTime = 3 * time.Second
	maxStrangers = 4 // looked up at peers at a time: each makes this node ask the LAN
)

// lookUps finds manifests of contents that are not here. Those who ask for the
// same one share the answer.
type lookUps struct {
	shared    singleflight.Group
	slots     chan struct{} // of what the trackers are asked for
	strangers chan struct{} // of what they did not tell, and peers are asked for
}

func newLookUps() lookUps {
	return lookUps{slots: make(chan struct{}, maxLookUps), strangers: make(chan struct{}, maxStrangers)}
}

// errBusy is why somebody who asks for a content is put off.
var errBusy = fmt.Errorf("%w: enough contents are being looked up", shoal.ErrUnavailable)

// lookUp asks the trackers for a manifest, and peers where they don't tell it;
// [shoal.ErrNotFound] where nobody knows the content.
func (l *Library) lookUp(ctx context.Context, id shoal.ContentID) (*shoal.Manifest, error) {
	answer := l.lookUps.shared.DoChan(string(id[:]), func() (any, error) {
		m, final, err := l.lookUpAtTrackers(id)
		if err != nil && l.cfg.FromPeers != nil && !errors.Is(err, errBusy) {
			m, err = l.lookUpAtPeers(id, final, err)
		}
		return m, err
	})
	select {
	case a := <-answer:
		if a.Err != nil {
			return nil, fmt.Errorf("look up content %s: %w", id.Short(), a.Err)
		}
		return a.Val.(*shoal.Manifest), nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (l *Library) lookUpAtTrackers(id shoal.ContentID) (m *shoal.Manifest, final bool, err error) {
	ctx, cancel := context.WithTimeoutCause(l.ctx, lookUpTime, fmt.Errorf("%w: no tracker answers", shoal.ErrUnavailable))
	defer cancel()
	select {
	case l.lookUps.slots <- struct{}{}:
		defer func() { <-l.lookUps.slots }()
	default: // waiting here would outlive those who ask
		return nil, false, errBusy
	}
	go l.introduce(id)
	m, final, err = l.ask(ctx, id)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return m, final, err
}

// lookUpAtPeers asks peers for a content that trackers did not tell for the reason
// refusal, which remains the answer where no peer has it.
func (l *Library) lookUpAtPeers(id shoal.ContentID, final bool, refusal error) (*shoal.Manifest, error) {
	select {
	case l.lookUps.strangers <- struct{}{}:
		defer func() { <-l.lookUps.strangers }()
	default:
		return nil, refusal
	}
	wait := lookUpTime
	if final {
		wait = strangerTime
	}
	ctx, cancel := context.WithTimeout(l.ctx, wait)
	defer cancel()
	m, err := l.cfg.FromPeers(ctx, id)
	if err != nil {
		return nil, refusal
	}
	return m, nil
}

// manifest gets a content's manifest for its unit, however long no tracker answers and
// no peer has it. That a tracker does not know the content is final, unless a peer has
// it.
func (l *Library) manifest(ctx context.Context, id shoal.ContentID) (*shoal.Manifest, error) {
	if l.cfg.FromPeers == nil {
		return l.fromTrackers(ctx, id)
	}
	var asking sync.WaitGroup
	defer asking.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	start := func(get func(context.Context, shoal.ContentID) (*shoal.Manifest, error)) <-chan found {
		answer := make(chan found, 1)
		asking.Go(func() {
			m, err := get(ctx, id)
			answer <- found{m, err}
		})
		return answer
	}
	trackers, peers := start(l.fromTrackers), start(l.cfg.FromPeers)
	var refusal error
	var late <-chan time.Time
	for {
		select {
		case f := <-trackers:
			if f.err == nil {
				return f.manifest, nil
			}
			refusal, late = f.err, time.After(strangerTime)
		case f := <-peers:
			if f.err == nil {
				return f.manifest, nil
			}
			peers = nil // the trackers are left
		case <-late:
			return nil, refusal
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// found is an answer to the question for a manifest.
type found struct {
	manifest *shoal.Manifest
	err      error
}

// fromTrackers asks the trackers until one has given a final answer.
func (l *Library) fromTrackers(ctx context.Context, id shoal.ContentID) (*shoal.Manifest, error) {
	try := func() (*shoal.Manifest, error) {
		m, final, err := l.ask(ctx, id)
		if final && err != nil {
			return nil, backoff.Permanent(err)
		}
		return m, err
	}
	pace := &backoff.ExponentialBackOff{
		InitialInterval: 250 * time.Millisecond, MaxInterval: 5 * time.Second, Multiplier: 2, RandomizationFactor: 0.5,
	}
	return backoff.Retry(ctx, try, backoff.WithBackOff(pace), backoff.WithMaxElapsedTime(0))
}

// ask is one try to get a content's manifest from the trackers; final says that
// another would bring nothing else.
func (l *Library) ask(ctx context.Context, id shoal.ContentID) (m *shoal.Manifest, final bool, err error) {
	if l.cfg.Torrents == nil {
		return nil, false, errNoTracker
	}
	b, err := l.cfg.Torrents.Torrent(ctx, id)
	if err != nil {
		return nil, errors.Is(err, shoal.ErrNotFound) || errors.Is(err, shoal.ErrInvalid), err
	}
	m, err = shoal.DecodeManifest(b)
	if err == nil && m.ID() != id {
		err = fmt.Errorf("%w: the tracker answered with content %s", shoal.ErrCorrupt, m.ID().Short())
	}
	if err != nil {
		return nil, true, fmt.Errorf("manifest of %s: %w", id.Short(), err)
	}
	return m, true, nil
}

// errNoTracker is the answer of no tracker: nobody that was found knows the content.
var errNoTracker = fmt.Errorf("%w: no peer that was found has it, and there is no tracker", shoal.ErrNotFound)
