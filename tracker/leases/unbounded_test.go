package leases

import (
	"testing"

	"github.com/shoal-cdn/shoal/tracker/api"
)

func TestUnbounded(t *testing.T) {
	c := &Content{size: 100, pieces: 4, webSeeds: []string{"https://a.example/f", "https://b.example/f"}}
	first := Unbounded(&api.LeaseRequest{}, c, "a").Lease
	if first == nil || first.Upstream.Name != "https://a.example/f" || len(first.Pieces) != 1 || first.Pieces[0] != (api.Run{Count: 4}) || first.Bytes != 100 {
		t.Fatalf("%+v", first)
	}
	if again := Unbounded(&api.LeaseRequest{Lease: first.ID}, c, "b").Lease; again == nil || again.ID != first.ID {
		t.Errorf("renewed as %+v", again)
	}
	if next := Unbounded(&api.LeaseRequest{Lease: first.ID, Done: true}, c, "b").Lease; next == nil || next.ID == first.ID {
		t.Errorf("after it was done: %+v", next)
	}
	if r := Unbounded(&api.LeaseRequest{}, &Content{}, "a"); r.Lease != nil || r.Reason != api.NoUpstream {
		t.Errorf("without a web seed: %+v", r)
	}
}
