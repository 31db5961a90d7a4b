package leases

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
	"github.com/shoal-cdn/shoal/tracker/registry"
)

// BenchmarkStampede is one request of a thousand nodes that ask at the same
// time, most of whom are refused, for contents of few and of many pieces.
func BenchmarkStampede(b *testing.B) {
	for _, n := range []int{2048, shoal.MaxPieces} {
		b.Run(fmt.Sprint(n, " pieces"), func(b *testing.B) {
			const nodes = 1000
			reg := registry.New(rand.New(rand.NewPCG(1, 2)))
			p := New(Config{Nodes: reg, Rand: rand.New(rand.NewPCG(3, 4))})
			c := &Content{id: c1, size: int64(n) * pieceLength, pieces: n, pieceLength: pieceLength, webSeeds: []string{seed}}
			for i := range nodes {
				id := fmt.Sprint("n", i)
				a := &api.Announce{Session: "s", Full: true, Node: api.NodeInfo{
					ID: shoal.NodeID(id), Name: id, Addrs: []string{"/ip4/10.0.0.1/tcp/1"}, Gateway: []string{"http://" + id},
				}}
				a.Holdings = []api.Holding{{Content: c1, Role: api.Fetcher, Pieces: shoal.Pieces{Total: n}}}
				if _, err := reg.Announce(t0, a); err != nil {
					b.Fatal(err)
				}
			}
			i := 0
			for b.Loop() {
				r := &api.LeaseRequest{Node: shoal.NodeID(fmt.Sprint("n", i%nodes)), Session: "s", Content: c1, Reason: api.NoPeers}
				if _, err := p.Lease(t0, r, c, api.Limits{}); err != nil {
					b.Fatal(err)
				}
				i++
			}
		})
	}
}
