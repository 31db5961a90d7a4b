package registry

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

var (
	t0 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	c1 = shoal.ContentID{1}
	c2 = shoal.ContentID{2}
)

func newRegistry() *Registry { return New(rand.New(rand.NewPCG(1, 2))) }

// announced is a full announce of a node that holds contents in a role.
func announced(name string, role api.Role, contents ...shoal.ContentID) *api.Announce {
	a := &api.Announce{Full: true, Session: "s-" + name, Node: api.NodeInfo{ID: shoal.NodeID("id" + name), Name: name, Addrs: []string{"/ip4/10.0.0.1/tcp/1"}}}
	for _, c := range contents {
		a.Holdings = append(a.Holdings, holds(c, role))
	}
	return a
}

func holds(c shoal.ContentID, role api.Role) api.Holding {
	h := api.Holding{Content: c, Role: role, Pieces: shoal.Pieces{Total: 8}}
	if role != api.Fetcher {
		h.Pieces.Count = 8
	}
	return h
}

// tell makes one announce and returns what is answered at once.
func tell(t *testing.T, r *Registry, now time.Time, a *api.Announce) (api.Reply, Ticket) {
	t.Helper()
	if err := a.Validate(); err != nil {
		t.Fatal(err)
	}
	ticket, err := r.Announce(now, a)
	if err != nil {
		t.Fatal(err)
	}
	reply, _ := r.Collect(ticket)
	return reply, ticket
}

func names(peers []api.Peer) string {
	var list []string
	for _, p := range peers {
		list = append(list, p.Name)
	}
	return strings.Join(list, " ")
}

func TestLiveness(t *testing.T) {
	r := newRegistry()
	tell(t, r, t0, announced("a", api.Origin, c1))
	if dead := r.Sweep(t0.Add(DeadAfter)); len(dead) != 0 {
		t.Fatalf("after three intervals: %v are dead, want none", dead)
	}
	dead := r.Sweep(t0.Add(DeadAfter + 1))
	if len(dead) != 1 || dead[0].Name != "a" || dead[0].Alive || !dead[0].Seen.Equal(t0) {
		t.Fatalf("after more than three intervals: %+v", dead)
	}
	if r.Alive() != 0 || len(r.Complete(c1)) != 0 || r.Held("ida", c1) != nil {
		t.Error("a dead node still counts")
	}
	back := announced("a", api.Origin, c1)
	back.Full = false
	if reply, _ := tell(t, r, t0.Add(time.Minute), back); !reply.Resync {
		t.Error("a node that was dead is not asked for all it holds")
	}
	back.Full = true
	if reply, _ := tell(t, r, t0.Add(time.Minute), back); reply.Resync || len(r.Complete(c1)) != 1 {
		t.Error("a node that returned is not back")
	}
	r.Sweep(t0.Add(time.Hour))
	r.Sweep(t0.Add(8 * 24 * time.Hour))
	if n := r.Nodes(); len(n) != 0 {
		t.Errorf("after a week %v is still listed", n)
	}
}

func TestHeldAnswerKeepsAlive(t *testing.T) {
	r := newRegistry()
	_, ticket := tell(t, r, t0, announced("a", api.Holder, c1))
	release := r.Hold(ticket)
	if dead := r.Sweep(t0.Add(time.Hour)); len(dead) != 0 {
		t.Fatal("dead while its connection is there")
	}
	end := t0.Add(20 * time.Second)
	release(end)
	if dead := r.Sweep(end.Add(DeadAfter)); len(dead) != 0 {
		t.Error("the time of the hold doesn't count")
	}
	if dead := r.Sweep(end.Add(DeadAfter + 1)); len(dead) != 1 {
		t.Error("not dead after the hold")
	}
}

func TestLeaving(t *testing.T) {
	r := newRegistry()
	tell(t, r, t0, announced("a", api.Holder, c1))
	bye := announced("a", api.Holder)
	bye.Full, bye.Leaving = false, true
	if reply, _ := tell(t, r, t0, bye); reply.Resync || r.Alive() != 0 || len(r.Complete(c1)) != 0 {
		t.Errorf("reply %+v, %d alive", reply, r.Alive())
	}
	if reply, _ := tell(t, r, t0, bye); reply.Resync {
		t.Error("a node that stops twice is asked to stay")
	}
}

func TestNames(t *testing.T) {
	r := newRegistry()
	tell(t, r, t0, announced("a", api.Holder, c1))
	thief := announced("a", api.Holder)
	thief.Node.ID = "idthief"
	if _, err := r.Announce(t0.Add(12*time.Second), thief); !errors.Is(err, shoal.ErrConflict) || !strings.Contains(err.Error(), "12s ago") {
		t.Fatalf("name of a live node: %v", err)
	}
	r.Sweep(t0.Add(time.Minute))
	if _, err := r.Announce(t0.Add(time.Minute), thief); err != nil {
		t.Fatalf("name of a dead node: %v", err)
	}
	if n := r.Nodes(); len(n) != 1 || n[0].ID != "idthief" {
		t.Errorf("the dead node is still there: %v", n)
	}
	renamed := announced("b", api.Holder)
	renamed.Node.ID = "idthief"
	tell(t, r, t0.Add(time.Minute), renamed)
	tell(t, r, t0.Add(time.Minute), announced("a", api.Holder)) // the name is free again
}

func TestSessions(t *testing.T) {
	r := newRegistry()
	a := announced("a", api.Fetcher, c1)
	a.Full = false
	if reply, _ := tell(t, r, t0, a); !reply.Resync || reply.Interval != 10 || r.Alive() != 0 {
		t.Fatalf("unknown session: %+v", reply)
	}
	a.Full, a.Cursor = true, 99 // of an earlier life of the tracker
	reply, _ := tell(t, r, t0, a)
	if _, ok := reply.Peers[c1]; !ok || reply.Cursor == 0 || reply.Cursor >= 99 {
		t.Fatalf("new session: %+v", reply)
	}
	a.Full, a.Holdings, a.Cursor, a.Seq = false, nil, reply.Cursor, 2
	_, older := tell(t, r, t0, a)
	if due, _ := r.Due(older); due {
		t.Fatal("due without news")
	}
	_, wake := r.Due(older)
	late := *a
	late.Seq, late.Gone = 1, []shoal.ContentID{c1}
	if _, ticket := tell(t, r, t0, &late); !ticket.Stale || r.Held("ida", c1) == nil {
		t.Error("an announce that came late was taken in")
	}
	a.Seq = 3
	_, newer := tell(t, r, t0, a)
	select {
	case <-wake:
	default:
		t.Fatal("a newer announce doesn't wake the older one")
	}
	if due, _ := r.Due(older); !due {
		t.Error("a newer announce doesn't release the older one")
	}
	if reply, ok := r.Collect(older); ok || reply.Cursor != a.Cursor || reply.Peers != nil {
		t.Errorf("the older answer is not empty: %+v", reply)
	}
	if due, _ := r.Due(newer); due {
		t.Error("the newer one is due without news")
	}
	r.Notify("ida")
	if due, _ := r.Due(newer); !due {
		t.Error("an order is no news")
	}
}

// TestHoldings: M2, what is known of a node follows its changes.
func TestHoldings(t *testing.T) {
	r := newRegistry()
	a := announced("a", api.Fetcher, c1, c2)
	set := shoal.NewPieceSet(8)
	set.Add(3)
	a.Holdings[0].Pieces = set.Pieces()
	tell(t, r, t0, a)
	if got := r.Held("ida", c1); got.Count() != 1 || !got.Has(3) {
		t.Errorf("pieces %v", got)
	}
	count := func(id shoal.ContentID) string {
		c := api.Content{ID: id}
		r.Count(&c)
		return fmt.Sprint(c.Origins, c.Holders, c.Fetchers)
	}
	if got := count(c1); got != "0 0 1" {
		t.Errorf("origins, holders, fetchers: %s", got)
	}
	a.Full, a.Holdings, a.Gone = false, []api.Holding{holds(c1, api.Holder)}, []shoal.ContentID{c2}
	tell(t, r, t0, a)
	if got := count(c1); got != "0 1 0" || !r.Held("ida", c1).Full() || r.Held("ida", c2) != nil {
		t.Errorf("after completion: %s", got)
	}
	a.Full, a.Holdings, a.Gone = true, []api.Holding{holds(c2, api.Origin)}, nil
	tell(t, r, t0, a)
	if r.Held("ida", c1) != nil || count(c2) != "1 1 0" {
		t.Error("a full announce doesn't replace what was known")
	}
}

func TestHoldingBounds(t *testing.T) {
	r := newRegistry()
	a := announced("a", api.Fetcher)
	a.Holdings = []api.Holding{{Content: c1, Role: api.Fetcher, Pieces: shoal.Pieces{Total: 16, Count: 3, Bits: "!"}}}
	if _, err := r.Announce(t0, a); !errors.Is(err, shoal.ErrInvalid) {
		t.Errorf("malformed pieces: %v", err)
	}
	set := shoal.NewPieceSet(shoal.MaxPieces)
	set.Add(0)
	big := set.Pieces()
	var err error
	n := 0
	for ; err == nil && n < 1000; n++ {
		a.Full, a.Holdings = n == 0, []api.Holding{{Content: shoal.ContentID{9, byte(n), byte(n >> 8)}, Role: api.Fetcher, Pieces: big}}
		_, err = r.Announce(t0, a)
	}
	if !errors.Is(err, shoal.ErrInvalid) || n != maxSetBytes/(shoal.MaxPieces/8)+1 {
		t.Errorf("after %d piece sets of 512 KiB: %v", n, err)
	}
}

func TestSelect(t *testing.T) {
	r := newRegistry()
	for _, n := range []string{"c", "b", "a", "gone"} {
		tell(t, r, t0, announced(n, api.Holder))
	}
	guest := announced("guest", api.Holder)
	guest.Node.Guest = true
	tell(t, r, t0, guest)
	bye := announced("gone", api.Holder)
	bye.Leaving = true
	tell(t, r, t0, bye)
	for _, tt := range []struct {
		ask, want string
		kind      error
	}{
		{ask: "all", want: "a b c"},
		{ask: "b a b", want: "a b"},
		{ask: "c all", want: "a b c"},
		{ask: "x gone a y", kind: shoal.ErrNotFound, want: `not found: no such node: "x", "y"; not alive: "gone"`},
		{ask: "guest", kind: shoal.ErrInvalid, want: `invalid: a guest, which takes no tasks: "guest"`},
	} {
		list, err := r.Select(strings.Fields(tt.ask), shoal.ContentID{})
		var got []string
		for _, n := range list {
			got = append(got, n.Name)
		}
		text := strings.Join(got, " ")
		if err != nil {
			text = err.Error()
		}
		if text != tt.want || !errors.Is(err, tt.kind) {
			t.Errorf("%s: %s, want %s", tt.ask, text, tt.want)
		}
	}
	seed := announced("b", api.Origin, shoal.ContentID{1})
	tell(t, r, t0, seed)
	if list, err := r.Select([]string{"all"}, seed.Holdings[0].Content); err != nil || len(list) != 2 || list[0].Name != "a" || list[1].Name != "c" {
		t.Errorf("all but origins: %+v, %v", list, err)
	}
	if _, err := newRegistry().Select([]string{"all"}, shoal.ContentID{}); !errors.Is(err, shoal.ErrNotFound) {
		t.Errorf("all of none: %v", err)
	}
}
