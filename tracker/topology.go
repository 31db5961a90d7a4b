package tracker

import (
	"context"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/shoal-cdn/shoal/tracker/api"
)

// seePaths takes in what a node, whose place is known, says of the lines between
// carriers: only of those that begin where it is.
func (t *Tracker) seePaths(now time.Time, a *api.Announce) {
	own := []string{a.Node.Carrier}
	for _, h := range a.Node.Place.Homes {
		own = append(own, h.Carrier)
	}
	elsewhere := func(p api.Path) bool { return !slices.Contains(own, p.From) }
	t.topology.Report(now, a.Node.ID, a.Session, slices.DeleteFunc(slices.Clone(a.Paths), elsewhere))
}

func (t *Tracker) getTopology(context.Context, *none) (*body[api.Topology], error) {
	out := api.Topology{Carriers: []string{}, Paths: t.topology.View(time.Now())}
	for _, p := range out.Paths {
		out.Carriers = append(out.Carriers, p.From, p.To)
	}
	slices.Sort(out.Carriers)
	out.Carriers = slices.Compact(out.Carriers)
	return answer(out, nil)
}

var carrierBytesDesc = prometheus.NewDesc("shoal_tracker_carrier_bytes_total",
	"Bytes that nodes of one carrier sent to peers in another and that were acknowledged, as they report it.", []string{"from", "to"}, nil)

// carrierBytes has a series for each line of the matrix, which bounds them.
type carrierBytes struct{ t *Tracker }

func (c carrierBytes) Describe(ch chan<- *prometheus.Desc) { ch <- carrierBytesDesc }

func (c carrierBytes) Collect(ch chan<- prometheus.Metric) {
	for _, p := range c.t.topology.View(time.Now()) {
		ch <- prometheus.MustNewConstMetric(carrierBytesDesc, prometheus.CounterValue, float64(p.Bytes), p.From, p.To)
	}
}
