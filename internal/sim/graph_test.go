package sim

import (
	"fmt"
	"testing"

	"github.com/shoal-cdn/shoal"
)

// places is a topology of so many sites of so many nodes each, two carriers.
func places(sites, nodes int) *Topology {
	t := &Topology{
		Size: 1 << 20, PieceLength: 32 << 10, Seed: 1, Neighbours: 30, OriginNeighbours: 160, Delays: defaultDelays,
		Origins: []Group{{Name: "o", Count: 1, Up: 1e6, Down: 1e6}},
	}
	for i := range sites {
		t.Nodes = append(t.Nodes, Group{
			Name: fmt.Sprintf("s%d", i), Count: nodes, Up: 1e6, Down: 1e6,
			Locality: shoal.Locality{Carrier: []string{"a", "b"}[i%2], Region: "r", Site: fmt.Sprint(i)},
		})
	}
	return t
}

// joined is a simulation after its nodes have joined.
func joined(tb testing.TB, t *Topology) *Sim {
	tb.Helper()
	if err := t.Check(); err != nil {
		tb.Fatal(err)
	}
	s := New(t)
	for s.joins > 0 && s.step() {
	}
	return s
}

func TestSmallGroupIsFullMesh(t *testing.T) {
	neighbours := func(n int) *Topology {
		top := lan(n, 1<<20)
		top.Neighbours = 12
		return top
	}
	for _, tt := range []struct {
		name string
		top  *Topology
		full bool
	}{
		{"several carriers", places(3, 13), true},
		{"as many as a node may have", neighbours(12), true},
		{"more", neighbours(20), false},
	} {
		s := joined(t, tt.top)
		full := true
		for _, n := range s.nodes {
			full = full && len(n.conns) == len(s.nodes)-1
		}
		if full != tt.full {
			t.Errorf("%s: full mesh is %v, want %v", tt.name, full, tt.full)
		}
	}
}

// In a large group degrees are about equal, every site is reached from every
// other, and the origin has its own limit.
func TestLargeGroupIsAboutRegular(t *testing.T) {
	s := joined(t, places(20, 50))
	least, most, far := len(s.nodes), 0, 0
	for _, n := range s.nodes[1:] {
		peers := 0
		for _, c := range n.conns {
			p := s.nodes[c.peer]
			if p.origin {
				continue
			}
			peers++
			if p.group != n.group {
				far++
			}
			if back, _ := p.conn(n.index, 0); back == nil {
				t.Fatalf("%s does not know of its connection to %s", p.name, n.name)
			}
		}
		least, most = min(least, peers), max(most, peers)
	}
	if least < 15 || most > 45 {
		t.Errorf("%d to %d peers, want about 30", least, most)
	}
	if n := len(s.nodes[0].conns); n != 160 {
		t.Errorf("the origin has %d peers, want 160", n)
	}
	if share := float64(far) / float64(30*len(s.nodes)); share < 0.04 || share > 0.2 {
		t.Errorf("%.3f of connections lead elsewhere", share)
	}
	if n := reach(s); n != len(s.nodes) {
		t.Errorf("%d of %d nodes can be reached", n, len(s.nodes))
	}
}

// Carriers without a line between them are not connected.
func TestNoConnectionWithoutALine(t *testing.T) {
	top := places(4, 30)
	top.Origins[0].Carrier = "a"
	top.Nodes[3].Carrier = "c"
	top.Links = []Link{{A: "a", B: "b"}, {A: "b", B: "c"}}
	s := joined(t, top)
	for _, n := range s.nodes {
		for _, c := range n.conns {
			if p := s.nodes[c.peer]; !s.paths.between(n, p).joined {
				t.Errorf("%s is connected to %s", n.name, p.name)
			}
		}
	}
	if n := reach(s); n != len(s.nodes) {
		t.Errorf("%d of %d nodes can be reached", n, len(s.nodes))
	}
}

// reach counts the nodes that the first one can reach.
func reach(s *Sim) int {
	seen := map[int32]bool{0: true}
	for next := []int32{0}; len(next) > 0; {
		n := s.nodes[next[0]]
		next = next[1:]
		for _, c := range n.conns {
			if !seen[c.peer] {
				seen[c.peer] = true
				next = append(next, c.peer)
			}
		}
	}
	return len(seen)
}
