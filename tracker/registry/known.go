package registry

import "github.com/shoal-cdn/shoal/tracker/api"

// knownNodes is how many other nodes one is told of at the start of a session, until it
// has had that answer, for while no tracker answers. Those that fetch or serve meet more by that.
const knownNodes = 8

// known chooses live nodes for n to remember, half of them from elsewhere where there
// are such: what is near may be gone together. Guests are not worth it.
func (r *Registry) known(n *node) (list []api.Peer) {
	c := choice{rng: r.rng, taken: map[*node]struct{}{n: {}}}
	c.outside(r.residents, n, knownNodes/2)
	c.nearest(r.residents, n, knownNodes-len(c.nodes))
	for _, p := range c.nodes {
		list = append(list, n.peer(p, ""))
	}
	return list
}

// settle makes n one that others are told of, or no longer. Its place must not change
// in between.
func (r *Registry) settle(n *node, there bool) {
	switch {
	case !there:
		r.residents.remove(n)
	case !n.info.Guest:
		r.residents.add(n)
	}
}
