package leases

import (
	"cmp"
	"slices"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
	"github.com/shoal-cdn/shoal/tracker/registry"
)

const (
	// assumedUp is taken for the uplink of a node that doesn't say: 100 Mbit/s.
	assumedUp shoal.Rate = 12_500_000
	// servedAtOnce is how many leases and pushes fill a node's uplink.
	servedAtOnce = 4

	// pushAgain is how long a node that cannot dial waits for the next holder
	// to be sent to it; pushTTL is how long an order counts as the holder's load.
	pushAgain = 10 * time.Second
	pushTTL   = 30 * time.Second
	maxPushes = 100_000
)

// server is what a node has been assigned to serve.
type server struct {
	leases int
	leased shoal.Rate
	pushes int
}

type pushKey struct {
	node    shoal.NodeID
	content shoal.ContentID
}

type push struct {
	holder shoal.NodeID
	at     time.Time
}

func (p *Planner) server(id shoal.NodeID) *server {
	s := p.servers[id]
	if s == nil {
		s = new(server)
		p.servers[id] = s
	}
	return s
}

// release drops what is known of a server that has nothing to serve.
func (p *Planner) release(id shoal.NodeID) {
	if s := p.servers[id]; s != nil && *s == (server{}) {
		delete(p.servers, id)
	}
}

func uplink(n api.NodeInfo) shoal.Rate {
	if n.Up > 0 {
		return n.Up
	}
	return assumedUp
}

// nominal is the part of a node's uplink that one lease or push reserves.
func nominal(n api.NodeInfo) shoal.Rate { return max(uplink(n)/servedAtOnce, 1) }

// spare is the part of a node's uplink that nobody has been assigned, from 0 to 1.
func (p *Planner) spare(n api.NodeInfo) float64 {
	s := p.servers[n.ID]
	if s == nil {
		return 1
	}
	return 1 - float64(s.leased+shoal.Rate(s.pushes)*nominal(n))/float64(uplink(n))
}

// room reports whether a node can be assigned one more to serve.
func (p *Planner) room(n api.NodeInfo) bool { return p.spare(n) >= 0.99/servedAtOnce }

// findServers looks for gateways that can take one more.
func (p *Planner) findServers(a *ask) {
	list := p.cfg.Nodes.Servers(a.r.Node, a.r.Content, true, maxServers)
	a.servers = slices.DeleteFunc(list, func(s registry.Server) bool {
		if a.excluded(string(s.Info.ID)) {
			return true
		}
		room := p.room(s.Info)
		a.full = a.full || !room
		return !room
	})
	p.order(a.servers)
}

// order sorts servers, the nearest first and among equally near ones that with
// the most capacity to spare.
func (p *Planner) order(list []registry.Server) {
	slices.SortStableFunc(list, func(x, y registry.Server) int {
		return cmp.Or(cmp.Compare(x.Distance, y.Distance),
			cmp.Compare(p.spare(y.Info)*float64(uplink(y.Info)), p.spare(x.Info)*float64(uplink(x.Info))))
	})
}

// push has a holder told to dial the asking node, where that cannot dial. It
// returns the holder, "" where there is none or one was told a moment ago.
func (p *Planner) push(a *ask) shoal.NodeID {
	key := pushKey{a.r.Node, a.r.Content}
	last, again := p.pushes[key]
	if a.r.Reason != api.Unreachable || len(a.info.Addrs) == 0 || again && a.now.Sub(last.at) < pushAgain || !again && len(p.pushes) >= maxPushes {
		return ""
	}
	list := p.cfg.Nodes.Servers(a.r.Node, a.r.Content, false, maxServers)
	p.order(list)
	order := api.DialOrder{Content: a.r.Content, Peer: api.Peer{
		ID: a.info.ID, Name: a.info.Name, Addrs: a.info.Addrs, Role: api.Fetcher, Locality: a.info.Locality,
	}}
	for _, s := range list {
		// Another one than the last: that one's connection may have failed.
		if s.Info.ID == last.holder && len(list) > 1 || a.excluded(string(s.Info.ID)) || !p.room(s.Info) || !p.cfg.Nodes.Dial(s.Info.ID, order) {
			continue
		}
		if again {
			p.server(last.holder).pushes--
			p.release(last.holder)
		}
		p.server(s.Info.ID).pushes++
		p.pushes[key] = push{s.Info.ID, a.now}
		return s.Info.ID
	}
	return ""
}

func gateway(s registry.Server) api.Upstream {
	return api.Upstream{Name: string(s.Info.ID), Kind: api.NodeGateway, URLs: s.Info.Gateway, Node: s.Info.ID}
}
