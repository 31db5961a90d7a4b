package transport

import (
	"fmt"
	"sync"

	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/peer"
	basicmgr "github.com/libp2p/go-libp2p/p2p/net/connmgr"
)

// Connections that have no stream of ours, such as those that the DHT opened and those
// of contents that are complete. They cost little and are soon wanted again, so some
// stay.
const (
	idleConns = 160 // are left where some are closed
	trimConns = 192 // connections in all from which on idle ones are closed, after their first minute
)

// connManager closes idle connections when there are many. libp2p's own, which would be
// used otherwise, has the same bounds for busy ones.
func connManager(idle, trim int) (connmgr.ConnManager, error) {
	m, err := basicmgr.NewConnManager(idle, trim)
	if err != nil {
		return nil, fmt.Errorf("connection manager: %w", err)
	}
	return m, nil
}

// inUse is the tag under which a peer's connections are protected.
const inUse = "shoal"

// keeper protects the connections to peers that there are streams to. It is safe for
// concurrent use.
type keeper struct {
	manager connmgr.ConnManager

	mu      sync.Mutex
	streams map[peer.ID]int
}

func newKeeper(m connmgr.ConnManager) *keeper {
	return &keeper{manager: m, streams: make(map[peer.ID]int)}
}

// keep has connections to a peer stay open until release is called, which does no harm
// when it is called again.
func (k *keeper) keep(p peer.ID) (release func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.streams[p]++; k.streams[p] == 1 {
		k.manager.Protect(p, inUse)
	}
	return sync.OnceFunc(func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.streams[p]--; k.streams[p] == 0 {
			delete(k.streams, p)
			k.manager.Unprotect(p, inUse)
		}
	})
}
