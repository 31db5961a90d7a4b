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
	cut time.Duration // after the first orders nothing passes it any more; 0: never
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
			s.mesh.roads[1].cut = 4 * time.Second
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
	s.mesh = &mesh{carriers: 3, roads: []road{{0, 1, line, 0}, {0, 2, line, 0}, {1, 2, line, 0}}}
	for i := range s.nodes {
		s.nodes[i].carrier = i / 5
	}
	return s
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

// cutRoads cuts the lines whose time has come.
func (n *network) cutRoads(m mesh) error {
	for i, r := range m.roads {
		if r.cut == 0 {
			continue
		}
		r.Loss = 1
		if err := n.roads[i].SetConfig(r.Config, r.Config); err != nil {
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

// inflow is how many bytes of payload a second can come into a carrier from the
// origin's: the largest flow over all lines (Edmonds and Karp). A line that is cut
// is none.
func (m mesh) inflow(to int) float64 {
	free := make([][]float64, m.carriers)
	for i := range free {
		free[i] = make([]float64, m.carriers)
	}
	for _, r := range m.roads {
		if r.cut == 0 {
			free[r.a][r.b] += float64(r.Rate) * linePayload
			free[r.b][r.a] += float64(r.Rate) * linePayload
		}
	}
	var sum float64
	for {
		from := shortest(free, 0, to)
		if from == nil {
			return sum
		}
		add := -1.0
		for c := to; c != 0; c = from[c] {
			if f := free[from[c]][c]; add < 0 || f < add {
				add = f
			}
		}
		for c := to; c != 0; c = from[c] {
			free[from[c]][c] -= add
			free[c][from[c]] += add
		}
		sum += add
	}
}

// shortest is a way over lines that have something free: before each carrier on it
// the one that it is reached from. nil: there is none.
func shortest(free [][]float64, start, end int) []int {
	from := make([]int, len(free))
	for i := range from {
		from[i] = -1
	}
	from[start] = start
	for queue := []int{start}; len(queue) > 0; queue = queue[1:] {
		for next, f := range free[queue[0]] {
			if f > 0 && from[next] < 0 {
				from[next] = queue[0]
				queue = append(queue, next)
			}
		}
	}
	if from[end] < 0 {
		return nil
	}
	return from
}
