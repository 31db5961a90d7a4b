package registry

import (
	"iter"
	"math/rand/v2"
	"slices"
	"sort"

	"github.com/shoal-cdn/shoal"
)

// roster is a list of nodes in the order of their addresses, so that those
// which share a prefix stand side by side.
type roster struct {
	nodes []*node
	place shoal.Locality // common to all, where the roster is one of a locality
	index int            // of the roster in members.groups, where it is in there
}

func (l *roster) add(n *node) {
	if i, found := slices.BinarySearchFunc(l.nodes, n, compareNodes); !found {
		l.nodes = slices.Insert(l.nodes, i, n)
	}
}

func (l *roster) remove(n *node) {
	if i, found := slices.BinarySearchFunc(l.nodes, n, compareNodes); found {
		l.nodes = slices.Delete(l.nodes, i, i+1)
	}
}

// within returns the nodes whose address shares the first bits bits with k.
func (l *roster) within(k key, bits int) []*node {
	p, err := k.Prefix(bits)
	if err != nil {
		return nil
	}
	lo := sort.Search(len(l.nodes), func(i int) bool { return l.nodes[i].key.Compare(p.Addr()) >= 0 })
	n := sort.Search(len(l.nodes)-lo, func(i int) bool { return !p.Contains(l.nodes[lo+i].key) })
	return l.nodes[lo : lo+n]
}

// members are the nodes of one role in a swarm, found by where they stand.
type members struct {
	everywhere roster
	groups     []*roster // by carrier, region and site, in no order
	byGroup    map[shoal.Locality]*roster
	byRegion   map[shoal.Locality]*roster // carrier and region known; Site is empty
	byCarrier  map[string]*roster         // carrier known
}

func newMembers() *members {
	return &members{
		byGroup:   make(map[shoal.Locality]*roster),
		byRegion:  make(map[shoal.Locality]*roster),
		byCarrier: make(map[string]*roster),
	}
}

func (m *members) len() int { return len(m.everywhere.nodes) }

func (m *members) all() iter.Seq[*node] { return slices.Values(m.everywhere.nodes) }

func (m *members) add(n *node) {
	m.everywhere.add(n)
	for _, l := range n.places {
		m.addAt(l, n)
	}
}

func (m *members) addAt(l shoal.Locality, n *node) {
	g := m.byGroup[l]
	if g == nil {
		g = &roster{place: l, index: len(m.groups)}
		m.byGroup[l] = g
		m.groups = append(m.groups, g)
	}
	g.add(n)
	if l.Carrier == "" {
		return
	}
	addTo(m.byCarrier, l.Carrier, n)
	if l.Region != "" {
		addTo(m.byRegion, shoal.Locality{Carrier: l.Carrier, Region: l.Region}, n)
	}
}

func (m *members) remove(n *node) {
	m.everywhere.remove(n)
	for _, l := range n.places {
		m.removeAt(l, n)
	}
}

func (m *members) removeAt(l shoal.Locality, n *node) {
	if g := m.byGroup[l]; g != nil {
		g.remove(n)
		if len(g.nodes) == 0 {
			delete(m.byGroup, l)
			last := m.groups[len(m.groups)-1]
			last.index = g.index
			m.groups[g.index] = last
			m.groups = m.groups[:len(m.groups)-1]
		}
	}
	removeFrom(m.byCarrier, l.Carrier, n)
	removeFrom(m.byRegion, shoal.Locality{Carrier: l.Carrier, Region: l.Region}, n)
}

func addTo[K comparable](in map[K]*roster, k K, n *node) {
	if in[k] == nil {
		in[k] = new(roster)
	}
	in[k].add(n)
}

func removeFrom[K comparable](in map[K]*roster, k K, n *node) {
	if l := in[k]; l != nil {
		l.remove(n)
		if len(l.nodes) == 0 {
			delete(in, k)
		}
	}
}

// rings yields the rosters around a place, the narrowest first; each holds
// the ones before it. Together they follow [shoal.Locality.Nearness].
func (m *members) rings(at shoal.Locality) iter.Seq[*roster] {
	return func(yield func(*roster) bool) {
		if at.Site != "" {
			if g := m.byGroup[at]; g != nil && !yield(g) {
				return
			}
		}
		if at.Carrier != "" {
			if at.Region != "" {
				if l := m.byRegion[shoal.Locality{Carrier: at.Carrier, Region: at.Region}]; l != nil && !yield(l) {
					return
				}
			}
			if l := m.byCarrier[at.Carrier]; l != nil && !yield(l) {
				return
			}
		}
		yield(&m.everywhere)
	}
}

// choice gathers nodes without repeating one.
type choice struct {
	rng   *rand.Rand
	nodes []*node
	taken map[*node]struct{} // chosen, and the asking node
}

func (c *choice) take(n *node) bool {
	if _, again := c.taken[n]; again {
		return false
	}
	c.taken[n] = struct{}{}
	c.nodes = append(c.nodes, n)
	return true
}

// nearest takes up to want of m, the nearest to n first, at random among
// equally near ones. It returns how many it took.
func (c *choice) nearest(m *members, n *node, want int) int {
	took := 0
	for ring := range m.rings(n.info.Locality) {
		for _, bits := range prefixLengths(n.key) {
			if took == want {
				return took
			}
			took += c.sample(ring.within(n.key, bits), want-took)
		}
		took += c.sample(ring.nodes, want-took) // other families, no address
	}
	return took
}

// outside takes up to want of m from localities other than n's, each as likely
// as any other however many nodes it has.
func (c *choice) outside(m *members, n *node, want int) int {
	took := 0
	for range 4 * want {
		if took == want || len(m.groups) == 0 {
			break
		}
		g := m.groups[c.rng.IntN(len(m.groups))]
		if g.place != n.info.Locality && c.take(g.nodes[c.rng.IntN(len(g.nodes))]) {
			took++
		}
	}
	return took
}

// sample takes up to want nodes of list at random, in O(want + taken) steps
// however long the list is.
func (c *choice) sample(list []*node, want int) int {
	if want <= 0 || len(list) == 0 {
		return 0
	}
	took := 0
	if len(list) <= 2*(want+len(c.taken)) {
		for _, i := range c.rng.Perm(len(list)) {
			if took == want {
				break
			}
			if c.take(list[i]) {
				took++
			}
		}
		return took
	}
	// At least half of the list is free: a few draws each are enough.
	for range 8 * want {
		if took == want {
			break
		}
		if c.take(list[c.rng.IntN(len(list))]) {
			took++
		}
	}
	return took
}
