package node

import (
	"time"

	"github.com/shoal-cdn/shoal/swarm"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// apiPaths is what the tracker is told of the ways to other carriers. Peers name
// their carriers themselves: what a tracker would refuse is left out.
func apiPaths(stats []swarm.PathStat) []tapi.Path {
	var out []tapi.Path
	for _, s := range stats {
		p := tapi.Path{
			From: s.From, To: s.To, Bytes: s.Bytes,
			RTT: float64(s.RTT.Round(10*time.Microsecond)) / float64(time.Millisecond), Loss: s.Loss, Goodput: s.Goodput,
		}
		if p.Validate() == nil {
			out = append(out, p)
		}
	}
	return out
}
