package sim

import (
	"time"

	"github.com/shoal-cdn/shoal"
)

// path is what lies between the uplink of a node of one group and the downlink
// of a node of another.
type path struct {
	near   shoal.Nearness
	cross  bool          // between two carriers
	joined bool          // there is a way
	line   int32         // shared between carriers, an index into lines; -1: none
	before time.Duration // one-way delay up to the line, or the whole
	after  time.Duration // and from there
}

func (p *path) delay() time.Duration { return p.before + p.after }

// paths are those between all pairs of groups.
type paths struct {
	table  []path
	groups int
	lines  []link // of every [Link] one direction and the other
	// ahead is the least time between what a node or line does and what
	// another one sees of it.
	ahead time.Duration
}

func newPaths(t *Topology) *paths {
	all := t.all()
	p := &paths{groups: len(all), table: make([]path, 0, len(all)*len(all)), ahead: time.Minute}
	lines := map[[2]string]int32{}
	for _, l := range t.Links {
		lines[[2]string{l.A, l.B}] = int32(len(p.lines))
		lines[[2]string{l.B, l.A}] = int32(len(p.lines) + 1)
		line := newLink(l.Rate)
		line.until, line.then = l.Until, int64(l.Then)
		p.lines = append(p.lines, line, line)
	}
	for i, a := range all {
		for k, b := range all {
			x := path{
				near: a.Nearness(b.Locality), cross: a.CrossCarrier(b.Locality), joined: true, line: -1,
				before: a.Delay + b.Delay,
			}
			line, ok := lines[[2]string{a.Carrier, b.Carrier}]
			switch {
			case x.cross && ok:
				x.line, x.before, x.after = line, a.Delay, t.Links[line/2].Delay+b.Delay
			case x.cross && len(t.Links) > 0:
				x.joined = false
			default:
				x.before += t.Delays.of(x.near)
			}
			p.table = append(p.table, x)
			switch {
			case !x.joined || i == k && a.Count == 1:
			case x.line >= 0:
				p.ahead = min(p.ahead, x.after)
			default:
				p.ahead = min(p.ahead, x.before)
			}
		}
	}
	return p
}

func (d *Delays) of(n shoal.Nearness) time.Duration {
	switch n {
	case shoal.SameSite:
		return d.Site
	case shoal.SameRegionAndCarrier:
		return d.Region
	case shoal.SameCarrier:
		return d.Carrier
	}
	return d.Elsewhere
}

// between is the path from a to b.
func (p *paths) between(a, b *node) *path { return &p.table[int(a.group)*p.groups+int(b.group)] }
