package manifest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/swarm"
	"github.com/shoal-cdn/shoal/swarm/transport"
)

// Bounds of a client.
const (
	maxAsked    = 3               // peers asked for one manifest at a time
	maxKnown    = 256             // peers remembered for one manifest
	dialTime    = 5 * time.Second // to open a stream
	requestSent = 5 * time.Second // for the request to leave
	idleTime    = 5 * time.Second // between two parts of it
	firstRetry  = time.Second     // after a peer did not give it, doubled
	busyRetry   = 4 * time.Second // at most, while it is busy
	lastRetry   = 15 * time.Second
	quarantine  = 10 * time.Minute // after it sent something else
)

// Client gets manifests from peers. It is safe for concurrent use.
type Client struct {
	open func(ctx context.Context, p swarm.Peer) (stream, error)
	log  *slog.Logger

	mu  sync.Mutex
	bad map[shoal.NodeID]time.Time // not asked before this
}

// NewClient returns a client that dials from host.
func NewClient(host *transport.Host, log *slog.Logger) *Client {
	return newClient(func(ctx context.Context, p swarm.Peer) (stream, error) {
		st, err := host.Open(ctx, p.ID, p.Addrs, Protocol)
		if err != nil {
			return nil, err // not st: a nil *Stream is no nil stream
		}
		return st, nil
	}, log)
}

func newClient(open func(context.Context, swarm.Peer) (stream, error), log *slog.Logger) *Client {
	return &Client{open: open, log: log, bad: make(map[shoal.NodeID]time.Time)}
}

// Fetch asks the peers that come from peers, as soon as they come and again after a
// while, until one has sent the manifest of id or ctx ends; the error is ctx's cause.
// The channel may be closed, which ends nothing.
func (c *Client) Fetch(ctx context.Context, id shoal.ContentID, peers <-chan swarm.Peer) (*shoal.Manifest, error) {
	ctx, cancel := context.WithCancel(ctx)
	var asking sync.WaitGroup
	defer asking.Wait()
	defer cancel()
	q := newQueue()
	answers := make(chan reply)
	for {
		for p, ok := q.take(time.Now()); ok; p, ok = q.take(time.Now()) {
			asking.Go(func() {
				m, err := c.ask(ctx, id, p)
				c.judge(id, p.ID, err)
				select {
				case answers <- reply{p.ID, m, err}:
				case <-ctx.Done():
				}
			})
		}
		wake := q.timer(time.Now())
		select {
		case p, ok := <-peers:
			if !ok {
				peers = nil
			} else if !c.banned(p.ID, time.Now()) {
				q.add(p, time.Now())
			}
		case r := <-answers:
			if r.err == nil {
				return r.manifest, nil
			}
			q.done(r.peer, r.err, time.Now())
		case <-wake:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

type reply struct {
	peer     shoal.NodeID
	manifest *shoal.Manifest
	err      error
}

// ask asks one peer.
func (c *Client) ask(ctx context.Context, id shoal.ContentID, p swarm.Peer) (*shoal.Manifest, error) {
	dialling, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	st, err := c.open(dialling, p)
	if err != nil {
		return nil, err
	}
	defer st.Close()
	ctx, cancel = context.WithTimeout(ctx, transferTime)
	defer cancel()
	defer context.AfterFunc(ctx, st.Close)()
	_ = st.SetWriteDeadline(time.Now().Add(requestSent))
	if _, err := st.Write(id[:]); err != nil {
		return nil, fmt.Errorf("ask for a manifest: %w", err)
	}
	return readAnswer(&patient{st}, id)
}

// judge notes what came of asking a peer.
func (c *Client) judge(id shoal.ContentID, peer shoal.NodeID, err error) {
	switch {
	case err == nil:
	case errors.Is(err, shoal.ErrCorrupt):
		c.log.Warn("a peer sent a wrong manifest", "content", id, "peer", peer, "err", err)
		c.ban(peer, time.Now())
	default:
		c.log.Debug("no manifest from a peer", "content", id, "peer", peer, "err", err)
	}
}

// patient reads as long as something comes now and then.
type patient struct{ st stream }

func (p *patient) Read(b []byte) (int, error) {
	_ = p.st.SetReadDeadline(time.Now().Add(idleTime))
	return p.st.Read(b)
}

func (c *Client) ban(id shoal.NodeID, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for other, until := range c.bad {
		if !now.Before(until) {
			delete(c.bad, other)
		}
	}
	if len(c.bad) < maxKnown {
		c.bad[id] = now.Add(quarantine)
	}
}

func (c *Client) banned(id shoal.NodeID, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return now.Before(c.bad[id])
}
