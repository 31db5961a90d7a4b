package sim

import (
	"context"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"
)

const (
	// meshNodes is the size up to which nodes of several carriers are a full mesh: each
	// is handed all the others.
	meshNodes = 40
	// handshakes is how many one-way delays a connection takes to be ready:
	// TCP's, TLS's and the swarm's handshake.
	handshakes = 6
	// stallTime is how long no piece may come anywhere before a simulation ends
	// with nodes that are not complete.
	stallTime = 10 * time.Minute
	// checkEvery is after about how many events the context and the progress are
	// seen to.
	checkEvery = 1 << 14
)

// start is the time that states are told for the start of the simulation. It
// is not the zero time, which they take for never.
var start = time.Unix(0, 0)

// Progress is how far a simulation is.
type Progress struct {
	Now           time.Duration // simulated
	Pieces, Total int64         // that nodes have, of those that they are to have
	Events        int64
}

// Sim is one run. It is not safe for concurrent use.
type Sim struct {
	topology *Topology
	pieces   int
	rng      *rand.Rand
	nodes    []*node
	paths    *paths
	full     bool // every node is connected to all it can reach

	now      time.Duration
	queue    queue           // what concerns several nodes at once
	lines    queue           // what comes to lines between carriers
	next     []time.Duration // by node: when something happens there
	starts   [][]int32       // nodes by time of joining
	origins  int             // so many nodes, the first
	carriers []string        // by group
	near     [4][]int32      // of meet, to be used again
	marks    []int32         // likewise, by node
	mark     int32

	waiting  int           // nodes that are to be complete and are not
	joins    int           // starts to come
	moved    time.Duration // when a piece last came somewhere
	held     int64         // pieces that nodes have
	wanted   int64         // that they are to have
	crossed  int64         // payload bytes sent between carriers
	handled  int64         // events that states were told
	progress func(Progress)
	err      error // what ends the run

	due   []*node // that something happens at before a step ends
	lanes []*lane
}

// New prepares a run. The topology must have passed Check and must not change.
func New(t *Topology) *Sim {
	s := &Sim{
		topology: t, pieces: t.Pieces(), rng: rand.New(rand.NewPCG(t.Seed, 0)), paths: newPaths(t),
		progress: func(Progress) {},
	}
	for i, g := range t.all() {
		s.carriers = append(s.carriers, g.Carrier)
		for k := range g.Count {
			s.add(&g, int32(i), k, i < len(t.Origins))
		}
	}
	for _, g := range t.Origins {
		s.origins += g.Count
	}
	s.marks = make([]int32, len(s.nodes))
	s.full = len(s.nodes) <= t.Neighbours+1 || t.mixed() && len(s.nodes) <= meshNodes
	s.plan()
	return s
}

// OnProgress has f called now and then during Run, by its goroutine.
func (s *Sim) OnProgress(f func(Progress)) { s.progress = f }

func (s *Sim) add(g *Group, group int32, k int, origin bool) {
	n := &node{
		index: int32(len(s.nodes)), group: group, name: g.Name, origin: origin, holder: origin || g.Holder,
		fault: g.Fault, up: newLink(g.Up), down: newLink(g.Down), leave: g.Leave,
		join: g.Join + time.Duration(float64(g.Spread)*float64(k)/float64(g.Count)),
	}
	n.id = idOf(n.index)
	if g.Count > 1 {
		n.name += "-" + strconv.Itoa(k+1)
	}
	s.nodes = append(s.nodes, n)
	s.next = append(s.next, never)
	if !n.holder {
		s.wanted += int64(s.pieces)
		if n.fault == None {
			s.waiting++
		}
	}
}

// plan makes the events that the topology is the cause of.
func (s *Sim) plan() {
	byTime := map[time.Duration][]int32{}
	var times []time.Duration
	for _, n := range s.nodes {
		if byTime[n.join] == nil {
			times = append(times, n.join)
		}
		byTime[n.join] = append(byTime[n.join], n.index)
		if n.leave > 0 {
			s.queue.push(event{at: n.join + n.leave, kind: leaveNode, from: n.index})
		}
	}
	slices.Sort(times)
	s.joins = len(times)
	for i, at := range times {
		s.starts = append(s.starts, byTime[at])
		s.queue.push(event{at: at, kind: joinNodes, piece: int32(i)})
	}
}

// Run simulates until every node that stays and is not faulty is complete, or
// nothing comes any more. It may be called once. An error is the context's, or
// says that the swarm's decisions and the simulator don't fit each other.
func (s *Sim) Run(ctx context.Context) (*Result, error) {
	seen := int64(0)
	for s.waiting > 0 && s.err == nil && s.step() {
		if s.handled-seen < checkEvery {
			continue
		}
		seen = s.handled
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		s.progress(Progress{s.now, s.held, s.wanted, s.handled})
	}
	if s.err != nil {
		return nil, s.err
	}
	return s.result(), nil
}

// step simulates a little time; false where nothing more will happen.
//
// What a node does reaches no other within the shortest delay between two. So
// for that long each can go ahead by itself.
func (s *Sim) step() bool {
	begin := min(slices.Min(s.next), s.lines.next())
	global := s.queue.next()
	switch {
	case s.joins == 0 && begin-s.moved > stallTime:
		return false
	case global <= begin:
		e := s.queue.pop()
		s.now = e.at
		if e.kind == joinNodes {
			s.joinAll(s.starts[e.piece])
		} else {
			s.leave(s.nodes[e.from])
		}
		return true
	}
	s.now = begin
	end := min(begin+max(s.paths.ahead, 1), global)
	s.due = s.due[:0]
	for i, at := range s.next {
		if at < end {
			s.due = append(s.due, s.nodes[i])
		}
	}
	s.advance(end)
	// Lines come behind the nodes, which may be right beside them.
	for s.lines.next() < end {
		s.cross(s.lines.pop())
	}
	return true
}
