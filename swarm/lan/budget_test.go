package lan

import (
	"container/heap"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
)

// testKey is a key that no node has; the peer ID is valid all the same.
func testKey(i int) (k publicKey) {
	binary.BigEndian.PutUint32(k[:], uint32(i+1))
	return k
}

func testEndpoint(i int) endpoint {
	return endpoint{tcp, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 7071)}
}

// simLink is a link with nodes on it, in virtual time.
type simLink struct {
	now    time.Time
	rng    *rand.Rand
	nodes  []*engine
	due    []time.Time // when each is to be called next
	events events
	// Packets sent in each minute.
	packets [10]int
	begun   time.Time
}

type event struct {
	at time.Time
	do func()
}

type events []event

func (e events) Len() int           { return len(e) }
func (e events) Less(i, j int) bool { return e[i].at.Before(e[j].at) }
func (e events) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)        { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	old := *e
	last := old[len(old)-1]
	*e = old[:len(old)-1]
	return last
}

func newSimLink(n int, seed uint64, holds func(node int, now time.Time) (have, total int, ok bool)) *simLink {
	l := &simLink{now: time.Unix(0, 0), rng: rand.New(rand.NewPCG(seed, seed))}
	l.begun, l.due = l.now, make([]time.Time, n)
	for i := range n {
		rng := rand.New(rand.NewPCG(seed, uint64(i)))
		e := newEngine(testKey(i), rng, func(shoal.ContentID) (int, int, bool) { return holds(i, l.now) },
			func(netip.Addr) bool { return true })
		e.endpoints = []endpoint{testEndpoint(i)}
		l.nodes = append(l.nodes, e)
	}
	return l
}

func (l *simLink) after(d time.Duration, do func()) { heap.Push(&l.events, event{l.now.Add(d), do}) }

// act sends what a node decided, and has it called again when something is due.
// Packets take a few milliseconds: what matters is how many go out before the first
// was heard.
func (l *simLink) act(i int) {
	out, _ := l.nodes[i].take()
	for _, o := range out {
		copies := 3 // broadcast and two groups
		if o.to.IsValid() {
			copies = 1
		}
		l.packets[int(l.now.Sub(l.begun)/time.Minute)] += copies
		from := l.nodes[i].endpoints[0].at
		for j := range l.nodes {
			if o.to.IsValid() && l.nodes[j].endpoints[0].at != o.to || j == i {
				continue
			}
			// Of three copies, the later ones are dropped for their nonce.
			l.after(time.Millisecond+time.Duration(l.rng.Int64N(int64(4*time.Millisecond))), func() {
				if l.nodes[j].admit(from, l.now) {
					l.nodes[j].receive(&o.msg, from, func() bool { return true }, l.now)
					l.act(j)
				}
			})
		}
	}
	l.schedule(i)
}

func (l *simLink) schedule(i int) {
	if next := l.nodes[i].next(); !next.IsZero() && !next.Equal(l.due[i]) {
		l.due[i] = next
		l.after(next.Sub(l.now), func() {
			if !l.nodes[i].next().After(l.now) && !l.nodes[i].next().IsZero() {
				l.nodes[i].tick(l.now)
				l.act(i)
			}
		})
	}
}

func (l *simLink) run(d time.Duration) {
	for end := l.begun.Add(d); len(l.events) > 0; {
		e := heap.Pop(&l.events).(event)
		if e.at.After(end) {
			return
		}
		if e.at.After(l.now) {
			l.now = e.at
		}
		e.do()
	}
}

// The packet budget of the package comment, with 200 nodes that begin to look for
// the same content within a millisecond and never stop, which is worse than what
// nodes do.
func TestBudget(t *testing.T) {
	const nodes, pieces, minutes = 200, 1000, 3
	id := shoal.ContentID{1}
	for name, holds := range map[string]func(node int, now time.Time) (int, int, bool){
		"nobody holds it": func(int, time.Time) (int, int, bool) { return 0, 0, false },
		"one holds it, the others never get any": func(n int, _ time.Time) (int, int, bool) {
			return map[bool]int{n == 0: pieces}[true], pieces, n == 0
		},
		"one holds it, the others soon have a part": func(n int, now time.Time) (int, int, bool) {
			if n == 0 {
				return pieces, pieces, true
			}
			return pieces / 2, pieces, now.Sub(time.Unix(0, 0)) > 2*time.Second
		},
		"a tenth holds it": func(n int, _ time.Time) (int, int, bool) { return pieces, pieces, n%10 == 0 },
		"all hold a half":  func(int, time.Time) (int, int, bool) { return pieces / 2, pieces, true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const seed = 1
			l := newSimLink(nodes, seed, holds)
			for i, e := range l.nodes {
				l.after(time.Duration(l.rng.Int64N(int64(time.Millisecond))), func() {
					e.search(id, l.now)
					l.act(i)
				})
			}
			l.run(minutes * time.Minute)
			t.Logf("packets in each minute: %v", l.packets[:minutes])
			for i, e := range l.nodes {
				if len(e.peers.of(id, l.now)) == 0 {
					t.Errorf("node %d knows nobody", i)
				}
			}
			for minute, n := range l.packets[:minutes] {
				budget := BudgetMinute
				if minute == 0 {
					budget = BudgetStart
				}
				if n == 0 || n > budget {
					t.Errorf("%d packets in minute %d, budget %d", n, minute, budget)
				}
			}
		})
	}
}
