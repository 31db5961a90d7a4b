//go:build linux

package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/internal/lab/linkem"
)

// mesh is several carriers and the lines between them. The origin is in the
// first, and the tracker in one of its own that all reach without limit.
type mesh struct {
	carriers int
	roads    []road
}

// road is a line between two carriers; rate, delay and loss are those of each
// direction.
type road struct {
	a, b int // carriers
	linkem.Config
	change time.Duration // after the first orders it becomes like then; 0: never
	then   linkem.Config
}

// last is what the road is like in the end.
func (r road) last() linkem.Config {
	if r.change > 0 {
		return r.then
	}
	return r.Config
}

// carrierDesigns are those about three carriers of five nodes, each two of
// which a line joins.
func carrierDesigns() []design {
	const size = 48 << 20
	const about = "three carriers of 5 nodes, 60 Mbit/s each way; lines between each two of 20 Mbit/s, 30 ms one way, 0.5 % loss"
	build := func(change func(*scenario)) func(shoal.Size) scenario {
		return func(shoal.Size) scenario {
			s := threeCarriers()
			change(&s)
			return s
		}
	}
	return []design{
		{"carriers", about, size, build(func(*scenario) {})},
		{"carriers-thin", about + ", but 2 Mbit/s between the origin's and the third", size, build(func(s *scenario) {
			s.mesh.roads[1].Rate = 2 * mbit
		})},
		{"carriers-cut", about + "; after 4 s that between the origin's and the third is cut", size, build(func(s *scenario) {
			s.mesh.roads[1].becomes(linkem.Config{Loss: 1}, 4*time.Second)
		})},
		{"carriers-degrade", about + "; after 4 s that between the origin's and the third has 1 Mbit/s and 5 % loss", size, build(func(s *scenario) {
			s.mesh.roads[1].becomes(linkem.Config{Rate: mbit, Loss: 0.05}, 4*time.Second)
		})},
		{"carriers-late", about + "; the third begins 5 s after the others", size, build(func(s *scenario) {
			for i := range s.nodes {
				if s.nodes[i].carrier == 2 {
					s.nodes[i].arrive = 5 * time.Second
				}
			}
		})},
		{"carriers-alone", about + "; only the third has nodes", size, build(func(s *scenario) {
			s.nodes = slices.DeleteFunc(s.nodes, func(n node) bool { return n.carrier != 2 })
		})},
	}
}

func threeCarriers() scenario {
	s := equal(15, 60*mbit)
	line := linkem.Config{Rate: 20 * mbit, Delay: 30 * time.Millisecond, Loss: 0.005}
	s.mesh = &mesh{carriers: 3, roads: []road{{a: 0, b: 1, Config: line}, {a: 0, b: 2, Config: line}, {a: 1, b: 2, Config: line}}}
	for i := range s.nodes {
		s.nodes[i].carrier = i / 5
	}
	return s
}

// becomes has the road change at a time. Its delay stays.
func (r *road) becomes(then linkem.Config, at time.Duration) {
	then.Delay = r.Delay
	r.change, r.then = at, then
}

// layMesh makes the carriers and lines of a mesh, and that of the tracker.
func (n *network) layMesh(m mesh) (at carriers, err error) {
	if at.tracker, err = n.lab.AddCarrier("hub"); err != nil {
		return at, err
	}
	for i := range m.carriers {
		c, err := n.lab.AddCarrier(fmt.Sprintf("c%d", i+1))
		if err != nil {
			return at, err
		}
		if _, err := n.lab.Connect(at.tracker, c, linkem.Config{}, linkem.Config{}); err != nil {
			return at, err
		}
		at.nodes = append(at.nodes, c)
	}
	for _, r := range m.roads {
		r.Seed = rand.Uint64()
		back := r.Config
		back.Seed++
		link, err := n.lab.Connect(at.nodes[r.a], at.nodes[r.b], r.Config, back)
		if err != nil {
			return at, err
		}
		n.roads = append(n.roads, link)
	}
	at.origin = at.nodes[0]
	return at, nil
}

// changeRoads changes the lines whose time this is.
func (n *network) changeRoads(m mesh, at time.Duration) error {
	for i, r := range m.roads {
		if r.change != at {
			continue
		}
		if err := n.roads[i].SetConfig(r.then, r.then); err != nil {
			return err
		}
	}
	return nil
}

// crossed is how many bytes of packets the lines have carried, both ways together.
func (n *network) crossed() (sum int64) {
	for _, k := range n.roads {
		ab, ba := k.Counters()
		sum += ab.DeliveredBytes + ba.DeliveredBytes
	}
	return sum
}
