package supply

import (
	"math/rand/v2"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// What a node may read of a web seed while no tracker answers. A thousand
// nodes that lose their tracker at once must not fall upon the origin together.
const (
	aloneAfter  = 10 * time.Second // no tracker has answered for so long,
	aloneSpread = 30 * time.Second // and a random part of this, before each part of the content
	aloneRate   = 1 << 20          // bytes/s
	aloneShare  = 32               // one part in so many of the content at a time
	aloneTime   = 30 * time.Second // for one such part
)

// ownLease is what the node allows itself: a random run of what it lacks, from
// one of the content's web seeds. ok is false where there is nothing to read.
func ownLease(m *shoal.Manifest, held *shoal.PieceSet, usable func(upstream string) bool, rng *rand.Rand) (l api.Lease, ok bool) {
	var seeds []string
	for _, u := range m.WebSeeds() {
		if usable(u) {
			seeds = append(seeds, u)
		}
	}
	n := held.Len()
	missing := n - held.Count()
	if len(seeds) == 0 || missing == 0 {
		return l, false
	}
	skip, first := rng.IntN(missing), 0
	for piece := range held.Missing() {
		if first = piece; skip == 0 {
			break
		}
		skip--
	}
	run := api.Run{First: first}
	for run.First+run.Count < n && !held.Has(run.First+run.Count) && run.Count < max(1, n/aloneShare) {
		l.Bytes += int64(m.PieceSize(run.First + run.Count))
		run.Count++
	}
	seed := seeds[rng.IntN(len(seeds))]
	l.Upstream = api.Upstream{Name: seed, Kind: api.WebSeed, URLs: []string{seed}}
	l.Pieces, l.Rate, l.Connections = []api.Run{run}, aloneRate, 1
	l.Expires = aloneTime.Seconds()
	return l, true
}
