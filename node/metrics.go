package node

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// metrics serves the node's figures from a registry of its own.
func (n *Node) metrics() http.Handler {
	reg := prometheus.NewRegistry()
	reg.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		figures{n},
	)
	return promhttp.HandlerFor(reg, promhttp.HandlerOpts{})
}

// figures reads the node when it is asked, so that nothing has to be counted
// twice.
type figures struct{ n *Node }

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("shoal_node_"+name, help, labels, nil)
}

var (
	descReceived  = describe("received_bytes_total", "Payload bytes received, by where they came from; wasted ones are duplicates and what failed verification.", "source")
	descCross     = describe("cross_carrier_bytes_total", "Payload bytes received across carriers, a part of those received.")
	descFetching  = describe("fetch_seconds_total", "Seconds that contents were being fetched, each content's apart: active at the full rate, or held back for this reason.", "reason")
	descSent      = describe("sent_bytes_total", "Payload bytes sent to peers since the start.")
	descContents  = describe("contents", "Contents by the node's role in their swarm.", "role")
	descFailed    = describe("contents_failed", "Contents that are neither fetched nor served, because of an error.")
	descPieces    = describe("pieces_held", "Pieces held, all contents together.")
	descPeers     = describe("peers", "Connected peers, one counted once for each content.")
	descSubTasks  = describe("sub_tasks", "Sub-tasks the tracker has not acknowledged the end of, by state.", "state")
	descAnnounces = describe("announces_total", "Announces, by whether a tracker answered.", "result")
	descServing   = describe("gateway_requests", "Requests that the gateway is serving.")
	descServed    = describe("gateway_sent_bytes_total", "Payload bytes that the gateway has sent since the start.")
	descRefused   = describe("gateway_refused_total", "Requests that the gateway has refused because there were too many.")
	descNoBBR     = describe("gateway_bbr_refused", "1 where the kernel refused BBR for what the gateway sends over TCP, else 0.")
	descRate      = describe("payload_bytes_per_second", "Payload rate over the last seconds.", "direction")
)

// Describe implements [prometheus.Collector].
func (f figures) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(f, ch) }

// constMetric is a figure, or where a label is not valid UTF-8 an error that the scrape ends with:
// some labels are what others sent.
func constMetric(d *prometheus.Desc, kind prometheus.ValueType, v float64, labels ...string) prometheus.Metric {
	m, err := prometheus.NewConstMetric(d, kind, v, labels...)
	if err != nil {
		return prometheus.NewInvalidMetric(d, err)
	}
	return m
}

// Collect implements [prometheus.Collector].
func (f figures) Collect(ch chan<- prometheus.Metric) {
	counter := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- constMetric(d, prometheus.CounterValue, v, labels...)
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- constMetric(d, prometheus.GaugeValue, v, labels...)
	}

	total := f.n.library.Totals()
	counter(descReceived, float64(total.Received.Origin), "origin")
	counter(descReceived, float64(total.Received.Peers), "peers")
	counter(descReceived, float64(total.Received.Upstream), "upstream")
	counter(descReceived, float64(total.Received.Wasted), "wasted")
	counter(descCross, float64(total.Received.CrossCarrier))
	counter(descSent, float64(total.Sent))
	for _, w := range []struct {
		reason  string // as in tapi.Why
		seconds float64
	}{
		{"active", total.Why.Active}, {"no_peer", total.Why.NoPeer}, {"slow_peer", total.Why.SlowPeer}, {"lease", total.Why.Lease},
		{"upstream", total.Why.Upstream}, {"disk", total.Why.Disk}, {"limit", total.Why.Limit},
	} {
		counter(descFetching, w.seconds, w.reason)
	}

	roles := map[tapi.Role]int{tapi.Origin: 0, tapi.Holder: 0, tapi.Fetcher: 0}
	failed, pieces := 0, 0
	for _, c := range f.n.library.Contents() {
		roles[c.Role]++
		pieces += c.PiecesHeld
		if c.Error != "" {
			failed++
		}
	}
	for role, count := range roles {
		gauge(descContents, float64(count), string(role))
	}
	gauge(descFailed, float64(failed))
	gauge(descPieces, float64(pieces))
	gauge(descPeers, float64(f.n.hub.PeerCount()))

	states := map[tapi.State]int{tapi.Pending: 0, tapi.Running: 0, tapi.Succeeded: 0, tapi.Failed: 0, tapi.Cancelled: 0}
	for _, r := range f.n.tasks.Reports() {
		states[r.State]++
	}
	for state, count := range states {
		gauge(descSubTasks, float64(count), string(state))
	}
	talk := f.n.announcer.Status()
	counter(descAnnounces, float64(talk.Announces), "answered")
	counter(descAnnounces, float64(talk.Failures), "failed")
	down, up := f.n.hub.Rates()
	gauge(descRate, float64(down), "down")
	gauge(descRate, float64(up), "up")
	f.n.paths.collect(gauge)
	f.n.collectDiscovery(counter, gauge)
	if g := f.n.gateway; g != nil {
		st := g.Stats()
		gauge(descServing, float64(st.Requests))
		counter(descServed, float64(st.Bytes))
		counter(descRefused, float64(st.Refused))
		refused := 0.0
		if g.CongestionErr() != nil {
			refused = 1
		}
		gauge(descNoBBR, refused)
	}
}
