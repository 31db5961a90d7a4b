package peerbook

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
)

var start = time.Unix(1e9, 0).UTC()

func entryOf(id, carrier string, seen int) Entry {
	return Entry{
		ID: shoal.NodeID(id), Addrs: []string{"/ip4/198.18.0.1/tcp/7000"},
		Locality: shoal.Locality{Carrier: carrier}, Seen: start.Add(time.Duration(seen) * time.Second), Vouched: true,
	}
}

func TestTableNote(t *testing.T) {
	first := entryOf("a", "east", 0)
	first.Name, first.Vouched = "edge", false
	moved := first
	moved.Addrs = []string{"/ip4/198.18.0.2/tcp/7000"}
	nameless := first
	nameless.Name, nameless.Locality = "", shoal.Locality{}
	unplaced := first
	unplaced.Locality = shoal.Locality{}
	vouched := first
	vouched.Vouched = true
	for name, tt := range map[string]struct {
		then    Entry
		after   time.Duration
		changed bool
		want    func(e Entry) bool
	}{
		"the same":          {first, 0, false, func(e Entry) bool { return e.Name == "edge" }},
		"soon again":        {first, notable - 1, false, func(e Entry) bool { return e.Seen.Equal(start) }},
		"later again":       {first, notable, true, func(e Entry) bool { return e.Seen.Equal(start.Add(notable)) }},
		"at other places":   {moved, 0, true, func(e Entry) bool { return e.Addrs[0] == moved.Addrs[0] }},
		"without its name":  {nameless, 0, false, func(e Entry) bool { return e.Name == "edge" && e.Carrier == "east" }},
		"without its place": {unplaced, 0, false, func(e Entry) bool { return e.Carrier == "east" }},
		"by a tracker":      {vouched, 0, true, func(e Entry) bool { return e.Vouched }},
		"out of order":      {first, -time.Hour, false, func(e Entry) bool { return e.Seen.Equal(start) }},
	} {
		tab := newTable("self")
		if !tab.note(first) {
			t.Errorf("%s: the first sign of a node is no news", name)
		}
		tt.then.Seen = start.Add(tt.after)
		if got := tab.note(tt.then); got != tt.changed || !tt.want(*tab.entries["a"]) {
			t.Errorf("%s: changed %v, want %v; entry %+v", name, got, tt.changed, *tab.entries["a"])
		}
	}
	tab := newTable("self")
	if tab.note(entryOf("self", "east", 0)) || len(tab.entries) != 0 {
		t.Error("a node is in its own book")
	}
}

// A full book keeps all carriers, and of each those seen last.
func TestTableEvicts(t *testing.T) {
	tab := newTable("self")
	for i := range 4 {
		tab.note(entryOf(fmt.Sprint("far", i), "far", -1000))
	}
	for i := range 2 * maxEntries {
		tab.note(entryOf(fmt.Sprint("near", i), "near", i))
	}
	if len(tab.entries) != maxEntries {
		t.Errorf("%d entries", len(tab.entries))
	}
	for i := range 4 {
		if tab.entries[shoal.NodeID(fmt.Sprint("far", i))] == nil {
			t.Errorf("far%d is forgotten", i)
		}
	}
	for i := range 2 * maxEntries {
		if kept := tab.entries[shoal.NodeID(fmt.Sprint("near", i))] != nil; kept != (i >= maxEntries+4) {
			t.Errorf("near%d: kept %v", i, kept)
		}
	}
}

// Peers can fill half of a book and no more, whichever carrier they claim.
func TestTableCrowd(t *testing.T) {
	tab := newTable("self")
	for i := range maxEntries {
		tab.note(entryOf(fmt.Sprint("told", i), "east", i))
	}
	for i := range 4 * maxEntries {
		e := entryOf(fmt.Sprint("crowd", i), fmt.Sprint("c", i), 9999)
		e.Vouched = false
		tab.note(e)
	}
	told := 0
	for _, e := range tab.entries {
		if e.Vouched {
			told++
		}
	}
	if len(tab.entries) != maxEntries || told < maxEntries-maxUnvouched {
		t.Errorf("%d of %d entries are from trackers", told, len(tab.entries))
	}
}

func TestTableList(t *testing.T) {
	tab := newTable("self")
	for _, e := range []Entry{
		entryOf("e1", "east", 1), entryOf("e2", "east", 2), entryOf("e3", "east", 3),
		entryOf("w1", "west", 9), entryOf("u1", "", 5),
	} {
		tab.note(e)
	}
	site := entryOf("e0", "east", 0)
	site.Region, site.Site = "r", "s"
	tab.note(site)
	for _, tt := range []struct {
		here shoal.Locality
		n    int
		want []shoal.NodeID
	}{
		{shoal.Locality{Carrier: "west"}, 9, []shoal.NodeID{"w1", "u1", "e3", "e2", "e1", "e0"}},
		{shoal.Locality{Carrier: "east", Region: "r", Site: "s"}, 9, []shoal.NodeID{"e0", "u1", "w1", "e3", "e2", "e1"}},
		{shoal.Locality{Carrier: "east", Region: "r", Site: "s"}, 4, []shoal.NodeID{"e0", "u1", "w1", "e3"}},
		{shoal.Locality{}, 2, []shoal.NodeID{"u1", "e3"}},
		{shoal.Locality{}, 0, nil},
	} {
		var got []shoal.NodeID
		for _, e := range tab.list(tt.here, tt.n) {
			got = append(got, e.ID)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("from %+v: %v, want %v", tt.here, got, tt.want)
		}
	}
}

func TestTableExpires(t *testing.T) {
	tab := newTable("self")
	tab.note(entryOf("a", "", 0))
	tab.expire(start.Add(forgetAfter))
	if len(tab.entries) != 1 {
		t.Error("forgotten too early")
	}
	tab.expire(start.Add(forgetAfter + 1))
	if len(tab.entries) != 0 {
		t.Error("remembered for ever")
	}
}
