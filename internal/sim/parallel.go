package sim

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// laneNodes is how many nodes one lane takes: enough to be worth a goroutine's
// attention, few enough that no core waits long for another.
const laneNodes = 16

// advance lets everything happen at the nodes in due that is due before end, on
// as many cores as there are. What they have posted is delivered afterwards in
// the order of the nodes, so that the result does not depend on which core was
// faster, nor on how many there are.
func (s *Sim) advance(end time.Duration) {
	lanes := (len(s.due) + laneNodes - 1) / laneNodes
	for len(s.lanes) < lanes {
		s.lanes = append(s.lanes, &lane{sim: s})
	}
	var taken atomic.Int64
	work := func() {
		for {
			i := int(taken.Add(1)) - 1
			if i >= lanes {
				return
			}
			for _, n := range s.due[i*laneNodes : min((i+1)*laneNodes, len(s.due))] {
				s.lanes[i].advance(n, end)
			}
		}
	}
	var others sync.WaitGroup
	for range min(lanes, runtime.GOMAXPROCS(0)) - 1 {
		others.Go(work)
	}
	work()
	others.Wait()
	for _, l := range s.lanes[:lanes] {
		s.collect(l)
	}
}

// collect delivers what a lane has posted and counts what came of it.
func (s *Sim) collect(l *lane) {
	for _, e := range l.posted {
		if e.stage == atLine {
			s.lines.push(e)
		} else {
			s.post(e)
		}
	}
	l.posted = l.posted[:0]
	if l.stored > 0 {
		s.moved = s.now
	}
	s.handled += l.handled
	s.held += l.stored
	s.crossed += l.crossed
	s.waiting -= l.completed
	l.handled, l.stored, l.crossed, l.completed = 0, 0, 0, 0
	if s.err == nil {
		s.err = l.err
	}
}

// post has an event happen at a node.
func (s *Sim) post(e event) {
	s.nodes[e.to].inbox = append(s.nodes[e.to].inbox, e)
	s.next[e.to] = min(s.next[e.to], e.at)
}

// cross takes a message over the line between two carriers.
func (s *Sim) cross(e event) {
	p := s.paths.between(s.nodes[e.from], s.nodes[e.to])
	sent := e.at
	if e.bytes > 0 {
		sent = s.paths.lines[p.line].pass(e.at, int(e.bytes))
		if e.kind == block {
			back := s.paths.between(s.nodes[e.to], s.nodes[e.from])
			s.acknowledge(&s.paths.lines[back.line], e.at, e.bytes)
		}
	}
	e.at, e.stage = sent+p.after, atDownlink
	s.post(e)
}

// acknowledge lets TCP's acknowledgements of a block of so many bytes take
// theirs on a link of the way back. Nothing here waits for them; on the sender's
// downlink they come a round trip too early.
func (s *Sim) acknowledge(l *link, now time.Duration, bytes int32) {
	if s.topology.Overhead {
		l.pass(now, acksOnLine(int(bytes)))
	}
}
