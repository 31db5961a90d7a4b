package supply

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal/fallback"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// B2, M8: each failure counts once, however often it is looked at, and no report has
// a presigned URL's signature in it.
func TestFaults(t *testing.T) {
	var f faults
	t0 := time.Now()
	fine := fallback.UpstreamStats{Name: "http://ok.example/f", Kind: fallback.WebSeed}
	byQUIC := fallback.UpstreamStats{Name: "http://ok.example/f", Kind: fallback.WebSeed, Reason: "over TCP: no connection"}
	bad := fallback.UpstreamStats{Name: "http://bad.example/f?Signature=secret", Kind: fallback.WebSeed, Reason: "status 503", Since: t0}
	gateway := fallback.UpstreamStats{Name: "id7", Kind: fallback.Node, Reason: strings.Repeat("ä", maxReason), Since: t0}
	for _, u := range []fallback.UpstreamStats{fine, byQUIC, bad, bad, gateway} {
		f.observe(u)
	}
	bad.Reason, bad.Since = "status 404", t0.Add(time.Second)
	f.observe(bad)
	want := []api.Fault{
		{Name: "http://bad.example/f", Kind: api.UpstreamFault, Reason: "status 404", Count: 2},
		{Peer: "id7", Kind: api.UpstreamFault, Reason: strings.Repeat("ä", maxReason/2), Count: 1},
	}
	if got := f.list(); !slices.Equal(got, want) || f.changed {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for i := range 2 * api.MaxFaults {
		bad.Name = "http://bad.example/" + strings.Repeat("x", i)
		f.observe(bad)
	}
	if n := len(f.list()); n != api.MaxFaults {
		t.Errorf("%d upstreams, want %d at most", n, api.MaxFaults)
	}
}
