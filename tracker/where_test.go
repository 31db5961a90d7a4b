package tracker

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/netprobe/where"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// places makes sources of a table in CSV, and returns its path.
func places(t *testing.T, table string) (*where.Sources, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "places.csv")
	if err := os.WriteFile(path, []byte(table), 0o600); err != nil {
		t.Fatal(err)
	}
	return must(where.Open(where.Config{Places: path})), path
}

// M4: a node's place follows from its labels, its addresses, and where it
// announces from, in this order.
func TestLocate(t *testing.T) {
	s, _ := places(t, `
198.18.1.0/24,AS1,north,dc1
198.18.2.0/24,AS2,north
10.0.0.0/8,,,office
203.0.113.9,AS9
`)
	tr := &Tracker{where: s}
	home := func(addr, carrier, region, site string) api.Home {
		return api.Home{Addr: netip.MustParseAddr(addr), Locality: shoal.Locality{Carrier: carrier, Region: region, Site: site}}
	}
	for _, tt := range []struct {
		name   string
		labels shoal.Locality
		addrs  []string
		source string
		want   shoal.Locality
		homes  []api.Home
	}{
		{"nothing is known", shoal.Locality{}, []string{"198.19.0.1"}, "198.19.0.1", shoal.Locality{}, nil},
		{"its address", shoal.Locality{}, []string{"127.0.0.1", "198.18.1.7"}, "203.0.113.9", shoal.Locality{Carrier: "AS1", Region: "north", Site: "dc1"}, nil},
		{"where it announces from", shoal.Locality{}, []string{"192.168.1.7"}, "::ffff:203.0.113.9", shoal.Locality{Carrier: "AS9"}, nil},
		{"an address that tells the carrier first", shoal.Locality{}, []string{"10.0.0.7", "198.18.2.7"}, "10.0.0.7",
			shoal.Locality{Carrier: "AS2", Region: "north"}, []api.Home{home("10.0.0.7", "", "", "office")}},
		{"several carriers", shoal.Locality{}, []string{"198.18.1.7", "198.18.2.7", "192.168.0.1"}, "198.18.2.7",
			shoal.Locality{Carrier: "AS1", Region: "north", Site: "dc1"}, []api.Home{home("198.18.2.7", "AS2", "north", "")}},
		{"labels win, part by part", shoal.Locality{Carrier: "mine"}, []string{"198.18.1.7", "198.18.2.7"}, "198.18.1.7",
			shoal.Locality{Carrier: "mine", Region: "north", Site: "dc1"}, []api.Home{home("198.18.2.7", "mine", "north", "")}},
		{"labels alone", shoal.Locality{Site: "s"}, nil, "", shoal.Locality{Site: "s"}, nil},
	} {
		n := api.NodeInfo{Locality: tt.labels, Place: api.Place{Labels: shoal.Locality{Carrier: "forged"}}}
		for _, a := range tt.addrs {
			n.Addrs = append(n.Addrs, "/ip4/"+a+"/tcp/1", "/ip4/"+a+"/udp/1/quic-v1")
		}
		source, _ := netip.ParseAddr(tt.source)
		tr.locate(&n, source)
		if n.Locality != tt.want || n.Place.Labels != tt.labels || n.Place.Source != source.Unmap() {
			t.Errorf("%s: %+v, %+v, want %+v", tt.name, n.Locality, n.Place, tt.want)
		}
		if len(n.Place.Homes) != len(tt.homes) || len(tt.homes) > 0 && n.Place.Homes[0] != tt.homes[0] {
			t.Errorf("%s: elsewhere %+v, want %+v", tt.name, n.Place.Homes, tt.homes)
		}
	}
}

// A node without labels learns its place, others see it, GET /v1/where explains
// it, and a changed table reaches the node while its announce is held.
func TestWhere(t *testing.T) {
	s, path := places(t, "198.18.1.0/24,AS1,north")
	_, c := onLoopback(t, newTrackerWith(t, Config{Where: s}))
	a := api.Announce{Session: "s", Full: true, Node: api.NodeInfo{
		ID: "id1", Name: "n", Addrs: []string{"/ip4/198.18.1.7/tcp/1"}, Locality: shoal.Locality{Site: "dc9"},
	}}
	reply := must(c.Announce(t.Context(), a))
	want := shoal.Locality{Carrier: "AS1", Region: "north", Site: "dc9"}
	if reply.Locality != want {
		t.Errorf("told that it is at %+v", reply.Locality)
	}
	if nodes := must(c.Nodes(t.Context())); len(nodes) != 1 || nodes[0].Locality != want || nodes[0].Place.Labels.Site != "dc9" || !nodes[0].Place.Source.IsLoopback() {
		t.Errorf("%+v", nodes)
	}
	w := must(c.Where(t.Context(), netip.MustParseAddr("::ffff:198.18.1.7")))
	if w.Node != "n" || w.Locality != want || w.Sources != (api.WhereSources{Carrier: "places", Region: "places", Site: "labels"}) ||
		len(w.Steps) != 2 || w.Steps[1].File != path || w.Steps[1].Prefix.String() != "198.18.1.0/24" || !w.Steps[1].Used {
		t.Errorf("%+v", w)
	}
	if w := must(c.Where(t.Context(), netip.MustParseAddr("2001:db8::1"))); w.Node != "" || w.Locality != (shoal.Locality{}) {
		t.Errorf("an address of nobody's: %+v", w)
	}
	if _, err := c.Where(t.Context(), netip.Addr{}); !errors.Is(err, shoal.ErrInvalid) {
		t.Errorf("no address: %v", err)
	}

	if err := os.WriteFile(path, []byte("198.18.1.0/24,AS2,south"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	a.Full, a.Cursor, a.Wait = false, reply.Cursor, 20
	if reply, err := c.Announce(ctx, a); err != nil || reply.Locality.Carrier != "AS2" {
		t.Errorf("after a reload: %+v, %v", reply.Locality, err)
	}
}
