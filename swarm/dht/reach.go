package dht

import (
	"sync"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	p2pnet "github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
)

// announceReached tells the host's protocols, once, that the host can be reached:
// as soon as it has a connection that another one opened. kad-dht answers queries
// from then on. stop ends the lookout.
//
// libp2p's own way to find out (AutoNAT) asks others to dial back, which takes
// nodes that do so for anybody, and minutes.
func announceReached(h host.Host) (stop func(), err error) {
	emitter, err := h.EventBus().Emitter(new(event.EvtLocalReachabilityChanged), eventbus.Stateful)
	if err != nil {
		return nil, err
	}
	tell := sync.OnceFunc(func() {
		_ = emitter.Emit(event.EvtLocalReachabilityChanged{Reachability: p2pnet.ReachabilityPublic}) // fails when stopped only
	})
	look := func(c p2pnet.Conn) {
		if c.Stat().Direction == p2pnet.DirInbound {
			tell()
		}
	}
	lookout := &p2pnet.NotifyBundle{ConnectedF: func(_ p2pnet.Network, c p2pnet.Conn) { look(c) }}
	h.Network().Notify(lookout)
	for _, c := range h.Network().Conns() {
		look(c)
	}
	return func() {
		h.Network().StopNotify(lookout)
		_ = emitter.Close()
	}, nil
}
