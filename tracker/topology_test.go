package tracker

import (
	"reflect"
	"strings"
	"testing"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// What nodes announce of the lines between carriers is in GET /v1/topology and in the
// metrics, if it is of a carrier that the node is in.
func TestTopology(t *testing.T) {
	s, _ := places(t, "198.18.1.0/24,AS1\n198.18.2.0/24,AS2\n")
	url, c := onLoopback(t, newTrackerWith(t, Config{Where: s}))
	if top := must(c.Topology(t.Context())); top.Carriers == nil || top.Paths == nil || len(top.Carriers)+len(top.Paths) > 0 {
		t.Errorf("before any announce: %#v", top)
	}
	a := api.Announce{
		Session: "s", Seq: 1, Full: true,
		Node: api.NodeInfo{ID: "id1", Name: "n", Addrs: []string{"/ip4/198.18.1.7/tcp/1", "/ip4/198.18.2.7/tcp/1"}},
		Paths: []api.Path{
			{From: "AS1", To: "AS3", Bytes: 1000, RTT: 61, Loss: 0.01, Goodput: 2_500_000},
			{From: "AS2", To: "AS3", Bytes: 5}, // by its second address
			{From: "AS3", To: "AS1", Bytes: 7}, // not its own to tell
		},
	}
	must(c.Announce(t.Context(), a))
	must(c.Announce(t.Context(), a)) // sent again: the answer was lost
	got := must(c.Topology(t.Context()))
	loss := 0.01
	want := api.Topology{Carriers: []string{"AS1", "AS2", "AS3"}, Paths: []api.PathSeen{
		{From: "AS1", To: "AS3", Bytes: 1000, RTT: 61, Loss: &loss, Goodput: shoal.Rate(2_500_000), Nodes: 1},
		{From: "AS2", To: "AS3", Bytes: 5},
	}}
	for i := range got.Paths {
		if got.Paths[i].Age < 0 || got.Paths[i].Age > 60 {
			t.Errorf("%v s old", got.Paths[i].Age)
		}
		got.Paths[i].Age = 0
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if metrics := fetch(t, url+"/metrics"); !strings.Contains(metrics, `shoal_tracker_carrier_bytes_total{from="AS1",to="AS3"} 1000`) {
		t.Error("the bytes are not in the metrics")
	}
}
