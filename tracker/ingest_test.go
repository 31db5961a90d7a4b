package tracker

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// M9: a client is told of the live nodes that take uploads, the nearest first.
func TestIngestServers(t *testing.T) {
	node := func(name, carrier, addr string, f func(n *api.Node)) api.Node {
		n := api.Node{Alive: true, NodeInfo: api.NodeInfo{
			Name: name, Ingest: true, Gateway: []string{"https://h"}, Addrs: []string{"/ip4/" + addr + "/tcp/1"},
			Locality: shoal.Locality{Carrier: carrier},
		}}
		if f != nil {
			f(&n)
		}
		return n
	}
	nodes := []api.Node{
		node("far", "B", "203.0.113.1", nil),
		node("farther", "B", "9.9.9.9", nil),
		node("near", "A", "9.9.9.8", nil),
		node("dead", "A", "9.9.9.7", func(n *api.Node) { n.Alive = false }),
		node("edge", "A", "9.9.9.7", func(n *api.Node) { n.Ingest = false }),
		node("hidden", "A", "9.9.9.7", func(n *api.Node) { n.Gateway = nil }),
	}
	from := netip.MustParseAddr("203.0.113.9")
	for carrier, want := range map[string][]string{"A": {"near", "far", "farther"}, "": {"far", "farther", "near"}} {
		var got []string
		for _, s := range ingestServers(nodes, shoal.Locality{Carrier: carrier}, from) {
			got = append(got, s.Name)
		}
		if carrier == "" { // farther and near share as much with the asker
			slices.Sort(got[1:])
		}
		if !slices.Equal(got, want) {
			t.Errorf("for carrier %q: %v, want %v", carrier, got, want)
		}
	}
}
