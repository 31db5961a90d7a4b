package registry

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// stands gives an announce a place and maybe a gateway.
func stands(a *api.Announce, carrier, site string, gateway bool) *api.Announce {
	a.Node.Carrier, a.Node.Region, a.Node.Site = carrier, "r", site
	a.Node.Gateway = nil
	if gateway {
		a.Node.Gateway = []string{"http://" + a.Node.Name}
	}
	return a
}

func fetching(name string, pieces ...int) *api.Announce {
	a := announced(name, api.Fetcher, c1)
	set := shoal.NewPieceSet(8)
	for _, p := range pieces {
		set.Add(p)
	}
	a.Holdings[0].Pieces = set.Pieces()
	return a
}

func TestCoverage(t *testing.T) {
	r := newRegistry()
	coverage := func(carrier string) string {
		held, fetchers := r.Coverage(c1, carrier, 8)
		var list []string
		for p := range held.All() {
			list = append(list, fmt.Sprint(p))
		}
		return fmt.Sprintf("%s of %d", strings.Join(list, ""), fetchers)
	}
	want := func(when, a, b, unknown string) {
		t.Helper()
		if x, y, z := coverage("a"), coverage("b"), coverage(""); x != a || y != b || z != unknown {
			t.Errorf("%s: %q, %q, %q, want %q, %q, %q", when, x, y, z, a, b, unknown)
		}
	}
	want("nobody", " of 0", " of 0", " of 0")
	tell(t, r, t0, stands(announced("o", api.Origin, c1), "a", "s", false))
	tell(t, r, t0, stands(fetching("x", 1, 2), "a", "s", false))
	tell(t, r, t0, stands(fetching("y", 2, 5), "a", "t", false))
	tell(t, r, t0, stands(fetching("z"), "b", "", false))
	tell(t, r, t0, stands(fetching("u", 7), "", "", false))
	want("fetchers", "125 of 2", " of 1", "7 of 1")
	tell(t, r, t0, stands(announced("h", api.Holder, c1), "b", "", false))
	want("a holder", "125 of 2", "01234567 of 1", "7 of 1")
	bye := stands(fetching("x"), "a", "s", false)
	bye.Leaving = true
	tell(t, r, t0, bye)
	want("one has left", "25 of 1", "01234567 of 1", "7 of 1")
	if held, _ := r.Coverage(c1, "a", 9); held.Len() != 9 || held.Count() != 0 {
		t.Error("nodes that claim another number of pieces count")
	}
}

func TestServers(t *testing.T) {
	r := newRegistry()
	tell(t, r, t0, stands(fetching("n", 1), "a", "s", true))
	tell(t, r, t0, stands(announced("far", api.Holder, c1), "b", "", true))
	tell(t, r, t0, stands(announced("same", api.Holder, c1), "a", "t", true))
	tell(t, r, t0, stands(fetching("site", 3), "a", "s", true))
	tell(t, r, t0, stands(fetching("empty"), "a", "s", true))
	tell(t, r, t0, stands(announced("shut", api.Holder, c1), "a", "s", false))
	tell(t, r, t0, stands(announced("other", api.Holder, c2), "a", "s", true))
	list := func(gateway bool, most int) string {
		var names []string
		for _, s := range r.Servers("idn", c1, gateway, most) {
			names = append(names, s.Info.Name)
		}
		return strings.Join(names, " ")
	}
	if got := list(true, 16); got != "site same far" {
		t.Errorf("with a gateway: %s", got)
	}
	if got := list(false, 16); got != "shut site same far" && got != "site shut same far" {
		t.Errorf("all: %s", got)
	}
	// A gateway that opens or moves is found at once, one that closes no more.
	tell(t, r, t0, stands(announced("shut", api.Holder, c1), "a", "s", true))
	tell(t, r, t0, stands(announced("far", api.Holder, c1), "b", "", false))
	tell(t, r, t0, stands(announced("same", api.Holder, c1), "c", "", true))
	if got := list(true, 16); got != "shut site same" && got != "site shut same" {
		t.Errorf("after changes: %s", got)
	}
	r.Sweep(t0.Add(time.Hour))
	if got := list(true, 16); got != "" {
		t.Errorf("of dead nodes: %s", got)
	}
	if len(r.swarms) != 0 {
		t.Errorf("%d swarms are left", len(r.swarms))
	}
}

// TestServersElsewhere: near gateways in any number don't hide those across.
func TestServersElsewhere(t *testing.T) {
	r := newRegistry()
	tell(t, r, t0, stands(fetching("n", 1), "a", "s", false))
	for i := range 200 {
		tell(t, r, t0, stands(fetching(fmt.Sprint("near", i), 1), "a", "s", true))
	}
	for i := range 3 {
		tell(t, r, t0, stands(fetching(fmt.Sprint("across", i), 1), "b", fmt.Sprint(i), true))
	}
	tell(t, r, t0, stands(announced("origin", api.Origin, c1), "c", "", true))
	got := r.Servers("idn", c1, true, 16)
	elsewhere, origins := 0, 0
	for _, s := range got {
		switch {
		case s.Role == api.Origin:
			origins++
		case s.Info.Carrier != "a":
			elsewhere++
		}
	}
	if len(got) != 16 || elsewhere == 0 || origins != 1 {
		t.Errorf("%d servers, %d elsewhere, %d origins", len(got), elsewhere, origins)
	}
}

// TestDial: M8, an order to dial is news, is repeated until it has been
// processed, and is bounded in number.
func TestDial(t *testing.T) {
	r := newRegistry()
	order := func(i int) api.DialOrder {
		return api.DialOrder{Content: c1, Peer: api.Peer{ID: shoal.NodeID(fmt.Sprint("p", i))}}
	}
	if r.Dial("idh", order(0)) {
		t.Error("an unknown node is told")
	}
	a := announced("h", api.Holder, c1)
	reply, _ := tell(t, r, t0, a)
	a.Full, a.Cursor = false, reply.Cursor
	_, ticket := tell(t, r, t0, a)
	if due, _ := r.Due(ticket); due {
		t.Fatal("due without news")
	}
	for range 2 {
		if !r.Dial("idh", order(1)) {
			t.Fatal("a live node isn't told")
		}
	}
	if due, _ := r.Due(ticket); !due {
		t.Error("not due with an order")
	}
	for range 2 { // the first answer gets lost
		if reply, _ = tell(t, r, t0, a); len(reply.Dial) != 1 || reply.Dial[0].Peer.ID != "p1" {
			t.Errorf("orders %+v", reply.Dial)
		}
	}
	a.Cursor = reply.Cursor
	if reply, _ = tell(t, r, t0, a); len(reply.Dial) != 0 {
		t.Errorf("repeated after it was processed: %+v", reply.Dial)
	}
	for i := range 2 * api.MaxDials {
		r.Dial("idh", order(i))
	}
	if reply, _ = tell(t, r, t0, a); len(reply.Dial) != api.MaxDials || reply.Dial[0].Peer.ID != shoal.NodeID(fmt.Sprint("p", api.MaxDials)) {
		t.Errorf("%d orders, the first %v", len(reply.Dial), reply.Dial[0].Peer.ID)
	}
	r.Sweep(t0.Add(time.Hour))
	if r.Dial("idh", order(1)) {
		t.Error("a dead node is told")
	}
}
