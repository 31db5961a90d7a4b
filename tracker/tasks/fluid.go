package tasks

import "github.com/shoal-cdn/shoal"

// Link is a node's capacity in bytes/s each way; 0: unknown.
type Link struct{ Up, Down shoal.Rate }

// FluidBound is the least time in seconds in which any scheme can bring size
// bytes from origins, which have all of it, to nodes, which have none (B2):
//
//	max(F/u_s, F/d_min, N·F/(u_s+Σu_i))
//
// The origins can't send a first copy faster than u_s, the sum of their
// uplinks; no node receives faster than its downlink; and all copies together
// must leave through all uplinks. It is nil when a rate is unknown, or there
// is no origin or nobody to fetch.
func FluidBound(size int64, origins []shoal.Rate, nodes []Link) *float64 {
	if len(origins) == 0 || len(nodes) == 0 || size <= 0 {
		return nil
	}
	var us, sum float64
	for _, up := range origins {
		if up <= 0 {
			return nil
		}
		us += float64(up)
	}
	sum = us
	slowest := nodes[0].Down
	for _, n := range nodes {
		if n.Up <= 0 || n.Down <= 0 {
			return nil
		}
		sum += float64(n.Up)
		slowest = min(slowest, n.Down)
	}
	f := float64(size)
	bound := max(f/us, f/float64(slowest), float64(len(nodes))*f/sum)
	return &bound
}
