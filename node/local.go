package node

import (
	"net"
	"net/netip"
	"strings"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/internal/version"
	"github.com/shoal-cdn/shoal/node/announce"
	"github.com/shoal-cdn/shoal/swarm"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// local is a node as its announcer sees it.
type local struct{ n *Node }

// Snapshot implements [announce.Local].
func (l local) Snapshot() announce.Snapshot {
	s := announce.Snapshot{Node: l.n.info(), SubTasks: l.n.tasks.Reports()}
	s.Holdings, s.Lonely = l.n.library.Holdings()
	s.Paths = apiPaths(l.n.hub.Paths())
	return s
}

// Apply implements [announce.Local].
func (l local) Apply(r tapi.Reply) {
	l.n.settle(r) // before swarms begin, and meet peers
	l.n.askAhead(r)
	l.n.tasks.Accept(r.SubTasks)
	l.n.dropAhead(r.SubTasks)
	if len(r.Peers) > 0 {
		peers := swarmPeers(r.Peers, l.n.ID())
		l.n.library.AddPeers(peers)
		for _, ps := range peers {
			l.n.peers.Told(ps)
		}
	}
	l.n.remember(r.Known)
	for _, d := range r.Dial {
		if d.Peer.ID != l.n.ID() {
			l.n.library.Connect(d.Content, swarmPeer(d.Peer))
		}
	}
}

// Delivered implements [announce.Local].
func (l local) Delivered(tasks []string) { l.n.tasks.Delivered(tasks) }

// info is what the node says of itself (M1, M4).
func (n *Node) info() tapi.NodeInfo {
	addrs := n.host.Addrs()
	return tapi.NodeInfo{
		ID: n.ID(), Name: n.cfg.Name, Addrs: addrs[:min(len(addrs), tapi.MaxAddrs)], HTTP: n.URL(),
		Gateway: n.GatewayURLs(), Up: n.cfg.Up, Down: n.cfg.Down, Guest: n.cfg.Guest, Ingest: n.ingest != nil,
		Version: n.version, Locality: n.cfg.Locality,
	}
}

// buildVersion fits the protocol, whatever the toolchain recorded.
func buildVersion() string {
	v := version.Get().Version
	return v[:min(len(v), 64)]
}

func swarmPeers(found map[shoal.ContentID][]tapi.Peer, self shoal.NodeID) map[shoal.ContentID][]swarm.Peer {
	out := make(map[shoal.ContentID][]swarm.Peer, len(found))
	for id, ps := range found {
		for _, p := range ps {
			if p.ID != self {
				out[id] = append(out[id], swarmPeer(p))
			}
		}
	}
	return out
}

func swarmPeer(p tapi.Peer) swarm.Peer {
	return swarm.Peer{ID: p.ID, Name: p.Name, Addrs: p.Addrs, Seed: p.Role != tapi.Fetcher, Locality: p.Locality}
}

// baseURL is the URL of an HTTP listener as others can use it: for a wildcard
// address, with one that peers use too.
func baseURL(listening net.Addr, addrs []string) string {
	ap, err := netip.ParseAddrPort(listening.String())
	if err != nil {
		return "http://" + listening.String()
	}
	ip := ap.Addr().Unmap()
	if ip.IsUnspecified() {
		for _, a := range addrs {
			parts := strings.SplitN(a, "/", 4) // "", "ip4", address, rest
			if len(parts) < 3 {
				continue
			}
			if outside, err := netip.ParseAddr(parts[2]); err == nil {
				ip = outside
				break
			}
		}
	}
	return "http://" + netip.AddrPortFrom(ip, ap.Port()).String()
}
