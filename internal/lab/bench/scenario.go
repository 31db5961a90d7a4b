//go:build linux

package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/shoal-cdn/shoal"
)

const (
	mbit    = shoal.Rate(1e6 / 8)
	lanRate = 20 * mbit
)

// scenario is a network, what is distributed in it, and who comes and goes when.
type scenario struct {
	name     string
	contents int        // distributed at once
	files    int        // of each content, which then is a folder; 0: it is one file
	size     shoal.Size // of all contents together
	origin   link
	nodes    []node
	oneHost  bool     // everything runs on one host, over its loopback; links don't count
	line     *line    // between the origin's carrier and the nodes'; nil: all are in one
	mesh     *mesh    // of several carriers; nil: there is one, or a line
	cold     bool     // only a web server at the origin has the contents, and no node
	noLeases bool     // the tracker lets every node read everything there at once
	tools    []string // compared unless others are asked for
}

// link is a member's access link, in bytes/s on the wire; 0: no limit.
type link struct{ up, down shoal.Rate }

// node is a member that fetches everything.
type node struct {
	link
	arrive time.Duration // when it is told to, after the first ones are
	joins  bool          // its processes are not there before it arrives
	leave  time.Duration // when it is killed; 0: never
	aside  bool          // it takes part, and nobody waits for it or looks at its time

	carrier int // of a mesh
}

// staggered reports whether some nodes begin later than others.
func (s scenario) staggered() bool {
	return slices.ContainsFunc(s.nodes, func(n node) bool { return n.arrive > 0 })
}

// watched is how many nodes are waited for.
func (s scenario) watched() int {
	n := 0
	for _, v := range s.nodes {
		if !v.aside {
			n++
		}
	}
	return n
}

// design is a scenario before its size is known.
type design struct {
	name  string
	about string
	size  shoal.Size // unless another one is asked for
	build func(size shoal.Size) scenario
}

func designs() []design {
	return slices.Concat([]design{
		{"lan16", "origin and 16 nodes, 20 Mbit/s each way; any other number works as well (lan4, lan32), and any other rate (lan16@10)", 64 << 20, lan(16, lanRate)},
		{"lan32", "the same with 32 nodes", 64 << 20, lan(32, lanRate)},
		{"hetero12", "12 nodes with uplinks of 4, 16 and 32 Mbit/s, four each, downlinks of 32; origin 20", 32 << 20, hetero},
		{"stagger", "as lan16, but the nodes begin one after another within 10 s", 64 << 20, stagger},
		{"churn", "as lan16 with 12 nodes, of which 4 are killed on the way, and 4 new ones join", 64 << 20, churn},
		{"slowpeer", "as lan16, but one node has 1 % of the rate; the time is that of the others", 64 << 20, slowPeer},
		{"solo", "one node, on the origin's host, no limits", 1 << 30, solo},
		{"small", "a folder of 10,000 files (16 KiB each), one node, on the origin's host, no limits", 10_000 * 16 << 10, small},
		{"many", "20 files at once to 10 nodes, 20 Mbit/s each way", 80 << 20, many},
	}, lossyDesigns(), coldDesigns(coldRate), carrierDesigns(), uploadDesigns())
}

// findDesign finds a design by its name; of lan there is one for each number of
// nodes, 1 to 64. A rate in Mbit/s, 1 to 1000, may follow lan and cold starts behind an @.
func findDesign(name string) (design, error) {
	for _, d := range designs() {
		if d.name == name {
			return d, nil
		}
	}
	unknown := fmt.Errorf("scenario %q: %w: -list names them", name, shoal.ErrNotFound)
	family, digits, other := strings.Cut(name, "@")
	rate := lanRate
	if other {
		r, err := strconv.Atoi(digits)
		if err != nil || r < 1 || r > 1000 {
			return design{}, unknown
		}
		rate = shoal.Rate(r) * mbit
		for _, d := range coldDesigns(rate) {
			if d.name == family {
				d.name = name
				return d, nil
			}
		}
	}
	if number, ok := strings.CutPrefix(family, "lan"); ok {
		if n, err := strconv.Atoi(number); err == nil && n >= 1 && n <= 64 {
			return design{name: name, size: 64 << 20, build: lan(n, rate)}, nil
		}
	}
	return design{}, unknown
}

// scenario gives the design a size; 0: its own.
func (d design) scenario(size shoal.Size) scenario {
	if size == 0 {
		size = d.size
	}
	s := d.build(size)
	s.name, s.size = d.name, size
	s.contents = max(s.contents, 1)
	if s.tools == nil {
		s.tools = []string{"shoal", "aria2", "libtorrent", "transmission", "http"}
	}
	return s
}

func equal(n int, rate shoal.Rate) scenario {
	s := scenario{origin: link{rate, rate}, nodes: make([]node, n)}
	for i := range s.nodes {
		s.nodes[i].link = s.origin
	}
	return s
}

func lan(n int, rate shoal.Rate) func(shoal.Size) scenario {
	return func(shoal.Size) scenario { return equal(n, rate) }
}

func hetero(shoal.Size) scenario {
	s := equal(12, 20*mbit)
	for i := range s.nodes {
		s.nodes[i].link = link{up: []shoal.Rate{4, 16, 32}[i%3] * mbit, down: 32 * mbit}
	}
	return s
}

func stagger(shoal.Size) scenario {
	s := equal(16, 20*mbit)
	for i := range s.nodes {
		s.nodes[i].arrive = time.Duration(i) * 10 * time.Second / time.Duration(len(s.nodes)-1)
	}
	return s
}

// churn kills the first nodes at 1/5, 2/5, … of the time that the origin needs
// for one copy, and lets another one join each time.
func churn(size shoal.Size) scenario {
	const changes = 4
	s := equal(12, 20*mbit)
	step := seconds(float64(size) / payload(20*mbit) / (changes + 1))
	for i := range changes {
		at := time.Duration(i+1) * step
		s.nodes[i].leave, s.nodes[i].aside = at, true
		s.nodes = append(s.nodes, node{link: s.origin, arrive: at, joins: true})
	}
	return s
}

func slowPeer(shoal.Size) scenario {
	s := equal(16, 20*mbit)
	slow := &s.nodes[0]
	slow.link, slow.aside = link{s.origin.up / 100, s.origin.down / 100}, true
	return s
}

func solo(shoal.Size) scenario {
	s := equal(1, 0)
	s.oneHost = true
	s.tools = []string{"shoal", "aria2", "libtorrent", "transmission", "http", "https"}
	return s
}

func small(size shoal.Size) scenario {
	s := solo(size)
	s.files = int(max(1, size/(16<<10)))
	return s
}

func many(shoal.Size) scenario {
	s := equal(10, 20*mbit)
	s.contents = 20
	return s
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
