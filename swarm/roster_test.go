package swarm

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
)

var start = time.Unix(1000, 0)

func nobody(shoal.NodeID) bool { return false }

func contactOf(id string) Peer {
	return Peer{ID: shoal.NodeID(id), Addrs: []string{"/ip4/198.18.0.1/tcp/1"}}
}

func dialled(r *roster, now time.Time, connections int) []string {
	var ids []string
	for _, p := range r.plan(now, nobody, connections) {
		ids = append(ids, string(p.ID))
	}
	slices.Sort(ids)
	return ids
}

func TestRosterBacksOff(t *testing.T) {
	r := newRoster("a")
	r.add(contactOf("b"), start)
	now := start.Add(politeness)
	// Dials that end in nothing, or in a connection that is closed at once.
	for _, pause := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60, 60, 60} {
		if got := dialled(r, now, 0); !slices.Equal(got, []string{"b"}) {
			t.Fatalf("dials %v", got)
		}
		if got := dialled(r, now, 0); got != nil {
			t.Fatalf("dialled twice at a time: %v", got)
		}
		r.dialled("b", now)
		r.left("b", settled-1)
		if got := dialled(r, now.Add(pause*time.Second-1), 0); got != nil {
			t.Fatalf("dialled again before %d s", pause)
		}
		now = now.Add(pause * time.Second)
	}
	r.left("b", settled)
	for _, pause := range []time.Duration{0, 1} {
		if got := dialled(r, now.Add(pause*time.Second), 0); len(got) != 1 {
			t.Errorf("not dialled %d s after a connection that lasted", pause)
		}
		r.dialled("b", now)
	}
	r.left("unknown", time.Hour)
}

func TestRosterPoliteness(t *testing.T) {
	first, second := "a", "c"
	for newRoster(shoal.NodeID(second)).begins("b") {
		second += "c"
	}
	for !newRoster(shoal.NodeID(first)).begins("b") {
		first += "a"
	}
	for _, tt := range []struct {
		self string
		seed bool // b will not dial
		wait time.Duration
	}{{first, false, 0}, {second, false, politeness}, {second, true, 0}} {
		r := newRoster(shoal.NodeID(tt.self))
		b := contactOf("b")
		b.Seed = tt.seed
		r.add(b, start)
		if tt.wait > 0 && dialled(r, start.Add(tt.wait-1), 0) != nil {
			t.Errorf("%s dials b before it had its chance", tt.self)
		}
		if len(dialled(r, start.Add(tt.wait), 0)) != 1 {
			t.Errorf("%s does not dial b", tt.self)
		}
	}
}

// Of two nodes exactly one begins, and each node does with about half of the others.
func TestRosterBegins(t *testing.T) {
	const n = 60
	for i := range n {
		a, begins := newRoster(shoal.NodeID(fmt.Sprint("node", i))), 0
		for j := range n {
			b := newRoster(shoal.NodeID(fmt.Sprint("node", j)))
			if i == j {
				continue
			}
			if a.begins(b.self) == b.begins(a.self) {
				t.Fatalf("%s and %s: both begin, or neither", a.self, b.self)
			}
			if a.begins(b.self) {
				begins++
			}
		}
		if begins < n/4 || begins > n*3/4 {
			t.Errorf("%s begins with %d of %d", a.self, begins, n-1)
		}
	}
}

// Half of the neighbours are dialled at once, and the others when those have had
// their time and still too few have come.
func TestRosterRounds(t *testing.T) {
	r, now := newRoster("a"), start.Add(time.Minute)
	for i := range 40 {
		r.add(contactOf(fmt.Sprint("n", i)), start)
	}
	if got := len(dialled(r, now, 0)); got != neighbours/2 {
		t.Fatalf("dials %d", got)
	}
	if got := dialled(r, now.Add(roundTime-1), 0); got != nil {
		t.Errorf("dials %v too soon after the first", got)
	}
	if got := len(dialled(r, now.Add(roundTime), 0)); got != neighbours/2 {
		t.Errorf("dials %d in the second round", got)
	}
}

func TestRosterBounds(t *testing.T) {
	r := newRoster("self")
	r.add(contactOf("self"), start)
	r.add(Peer{ID: "unreachable"}, start)
	for i := range maxKnown + 10 {
		p := contactOf(fmt.Sprintf("z%04d", i))
		p.Seed = true
		r.add(p, start)
	}
	if len(r.known) != maxKnown {
		t.Errorf("%d known", len(r.known))
	}
	if got := len(dialled(r, start, maxPeers)); got != 0 {
		t.Errorf("%d dials with all the connections there may be", got)
	}
	if got := len(dialled(r, start, maxPeers-3)); got != 3 {
		t.Errorf("%d dials with 3 connections to make", got)
	}
	if got := len(dialled(r, start, 0)); got != maxDials-3 {
		t.Errorf("%d more dials", got)
	}
	for id, k := range r.known {
		if k.dialling && (id == "self" || id == "unreachable") {
			t.Errorf("dials %s", id)
		}
	}
	r.plan(start, func(id shoal.NodeID) bool { t.Errorf("asks for %s with all dials under way", id); return false }, 0)

	r = newRoster("self")
	r.add(contactOf("b"), start)
	if r.plan(start, func(id shoal.NodeID) bool { return id == "b" }, 1) != nil {
		t.Error("dials a peer that is connected")
	}
	p := contactOf("many")
	p.Addrs = slices.Repeat(p.Addrs, 2*maxPeerAddrs)
	r.add(p, start)
	if n := len(r.known["many"].Addrs); n != maxPeerAddrs {
		t.Errorf("%d addresses", n)
	}
}

func TestRosterBans(t *testing.T) {
	r := newRoster("a")
	r.add(contactOf("b"), start)
	until := start.Add(quarantine)
	r.ban("b", until.Add(-time.Minute), time.Minute)
	r.ban("inbound", until.Add(-time.Minute), time.Minute) // was never added
	for id, want := range map[shoal.NodeID]bool{"b": true, "inbound": true, "c": false} {
		if r.bannedAt(id, until.Add(-1)) != want || r.bannedAt(id, until) {
			t.Errorf("%s: ban is wrong", id)
		}
	}
	r.add(contactOf("inbound"), start)
	if dialled(r, until.Add(-1), 0) != nil {
		t.Error("dials a banned peer")
	}
	if got := dialled(r, until, 0); len(got) != 2 {
		t.Errorf("dials %v after the ban", got)
	}
}

// Seeds that cannot be reached don't keep a node from its neighbours.
func TestRosterDialsNeighboursBesideDeadSeeds(t *testing.T) {
	r := newRoster("a")
	for i := range neighbours {
		dead := contactOf(fmt.Sprint("dead", i))
		dead.Seed = true
		r.add(dead, start)
	}
	if got := len(dialled(r, start, 0)); got != neighbours {
		t.Fatalf("dials %d seeds", got)
	}
	for i := range 2 {
		r.add(contactOf(fmt.Sprint("n", i)), start)
	}
	if got := dialled(r, start, 0); len(got) != 2 {
		t.Errorf("dials %v while seeds are being dialled", got)
	}
}

// What a peer says of another changes nothing that is known, and can't take
// the place of what the caller adds.
func TestRosterHints(t *testing.T) {
	r := newRoster("a")
	known := contactOf("b")
	known.Name = "edge"
	r.add(known, start)
	wrong := Peer{ID: "b", Addrs: []string{"/ip4/198.18.0.99/tcp/9"}}
	r.hint(wrong, start)
	r.hint(Peer{ID: "b"}, start)
	if k := r.known["b"]; !slices.Equal(k.Addrs, known.Addrs) || r.name("b") != "edge" {
		t.Errorf("%+v", k.Peer)
	}
	r.add(wrong, start) // the caller may
	if k := r.known["b"]; !slices.Equal(k.Addrs, wrong.Addrs) || r.name("b") != "edge" {
		t.Errorf("%+v", k.Peer)
	}
	for i := range 2 * maxKnown {
		r.hint(contactOf(fmt.Sprint("h", i)), start)
	}
	if len(r.known) != maxHints {
		t.Errorf("%d known", len(r.known))
	}
	r.add(contactOf("c"), start)
	if r.known["c"] == nil {
		t.Error("no room for a peer that the caller adds")
	}
}

// Those that came by themselves are neighbours, whether somebody has told of them or not.
func TestRosterCountsStrangers(t *testing.T) {
	r, now := newRoster("a"), start.Add(time.Minute)
	for i := range 40 {
		r.add(contactOf(fmt.Sprint("n", i)), start)
	}
	seed := contactOf("seed")
	seed.Seed = true
	r.add(seed, start)
	connected := func(id shoal.NodeID) bool { return id == "seed" || id == "n1" }
	const strangers = neighbours - 4
	if got := len(r.plan(now, connected, strangers+2)); got != 3 {
		t.Errorf("dials %d beside a seed, a neighbour and %d strangers", got, strangers)
	}
	if got := r.plan(now.Add(roundTime), connected, strangers+2); got != nil {
		t.Errorf("dials %d more while those are under way", len(got))
	}
}

// A node connects to every peer that has everything, and to a few of the
// others, unless it must know all members of its carrier, or those are of no use.
func TestRosterHasFewNeighbours(t *testing.T) {
	for name, tt := range map[string]struct {
		carriers []string
		said     string // the carrier of a peer by its own word
		starved  bool
		want     int // peers that lack pieces
	}{
		"no carriers known":    {[]string{""}, "", false, neighbours},
		"one carrier":          {[]string{"a", ""}, "a", false, neighbours},
		"two carriers":         {[]string{"a", "b"}, "", false, 30},
		"one says another one": {[]string{"a", ""}, "b", false, 30},
		"of no use":            {[]string{"a"}, "", true, 30},
	} {
		t.Run(name, func(t *testing.T) {
			r, now := newRoster("me"), time.Unix(0, 0)
			for i := range 35 {
				r.add(Peer{
					ID: shoal.NodeID(fmt.Sprint("peer", i)), Addrs: []string{"a"}, Seed: i >= 30,
					Locality: shoal.Locality{Carrier: tt.carriers[i%len(tt.carriers)]},
				}, now)
			}
			r.place(tt.said)
			r.starved = tt.starved
			conns := map[shoal.NodeID]bool{}
			needy, seeds := 0, 0
			for range 10 {
				now = now.Add(time.Second)
				for _, p := range r.plan(now, func(id shoal.NodeID) bool { return conns[id] }, len(conns)) {
					conns[p.ID] = true
					r.dialled(p.ID, now)
					if p.Seed {
						seeds++
					} else {
						needy++
					}
				}
			}
			if needy != tt.want || seeds != 5 {
				t.Errorf("%d seeds and %d others, want 5 and %d", seeds, needy, tt.want)
			}
		})
	}
}
