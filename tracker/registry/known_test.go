package registry

import (
	"fmt"
	"testing"

	"github.com/shoal-cdn/shoal/tracker/api"
)

// resident is a full announce of a node that has no content.
func resident(name, place string, i int) *api.Announce {
	a := at(name, place, fmt.Sprintf("/ip4/10.1.%d.%d/tcp/1", i/250, i%250), api.Fetcher)
	a.Holdings = nil
	return a
}

// B4: a node without a content is told of some others, near and far, once a session that the
// answer comes.
func TestKnown(t *testing.T) {
	r := newRegistry()
	if reply, _ := tell(t, r, t0, resident("first", "as1 north s1", 0)); len(reply.Known) != 0 {
		t.Errorf("the first is told of %s", names(reply.Known))
	}
	for i := range 100 {
		tell(t, r, t0, resident(fmt.Sprint("near", i), "as1 north s1", 1+i))
	}
	for i := range 4 {
		tell(t, r, t0, resident(fmt.Sprint("far", i), fmt.Sprintf("as%d north s1", 2+i), 200+i))
	}
	guest := resident("guest", "as9 north s1", 210)
	guest.Node.Guest = true
	tell(t, r, t0, guest)
	gone := resident("gone", "as8 north s1", 211)
	tell(t, r, t0, gone)
	gone.Leaving, gone.Full = true, false
	tell(t, r, t0, gone)
	moved := resident("moved", "as7 north s1", 212)
	tell(t, r, t0, moved)
	moved.Node.Carrier = "as1"
	tell(t, r, t0, moved)

	seen := make(map[string]int)
	for i := range 50 {
		a := resident("me", "as1 north s1", 220)
		a.Session = fmt.Sprint("s", i)
		reply, _ := tell(t, r, t0, a)
		if len(reply.Known) != knownNodes {
			t.Fatalf("told of %s", names(reply.Known))
		}
		far := 0
		for _, p := range reply.Known {
			seen[p.Name]++
			if p.Carrier != "as1" {
				far++
			}
			if len(p.Addrs) == 0 || p.Role != "" {
				t.Errorf("told of %+v", p)
			}
		}
		if far == 0 || far > knownNodes/2 {
			t.Errorf("told of %s", names(reply.Known))
		}
		if reply, _ = tell(t, r, t0, a); len(reply.Known) != knownNodes {
			t.Fatalf("not told again after the answer was lost: %s", names(reply.Known))
		}
		a.Full = false
		if reply, _ = tell(t, r, t0, a); len(reply.Known) != 0 {
			t.Errorf("told again of %s", names(reply.Known))
		}
	}
	if seen["me"]+seen["guest"]+seen["gone"] > 0 || len(seen) < 60 {
		t.Errorf("told of %v", seen)
	}
	r.Sweep(t0.Add(2 * DeadAfter))
	if n := r.residents.len(); n != 0 || len(r.residents.groups) != 0 {
		t.Errorf("%d residents are left of dead nodes", n)
	}
}
