package tracker

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/shoal-cdn/shoal/tracker/api"
	"github.com/shoal-cdn/shoal/tracker/registry"
)

// metrics has a registry of its own, so that two trackers in a process don't
// count together.
type metrics struct {
	all       *prometheus.Registry
	announces *prometheus.CounterVec
	duration  prometheus.Histogram
	held      prometheus.Gauge
	granted   *prometheus.CounterVec
	refused   *prometheus.CounterVec
	pushed    prometheus.Counter
	egress    *prometheus.CounterVec
	upstreams labels // of egress
}

func newMetrics(t *Tracker) *metrics {
	m := &metrics{
		all: prometheus.NewRegistry(),
		announces: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "shoal_tracker_announces_total", Help: "Announces by how they were taken in: ok, started (a session), resync, stale, refused.",
		}, []string{"result"}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "shoal_tracker_announce_seconds", Help: "Time to take in an announce, without the time its answer is held back.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 4, 8),
		}),
		held: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "shoal_tracker_announces_held", Help: "Answers being held back until there is news.",
		}),
	}
	m.granted = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "shoal_tracker_leases_granted_total", Help: "Leases granted, renewals among them, by the kind of upstream.",
	}, []string{"kind"})
	m.refused = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "shoal_tracker_leases_refused_total", Help: "Requests for a lease that were refused, by why.",
	}, []string{"reason"})
	m.pushed = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "shoal_tracker_pushes_total", Help: "Holders that were told to dial a node which cannot dial.",
	})
	m.egress = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "shoal_tracker_upstream_bytes_total", Help: "Bytes that nodes said they have read by ended leases, by upstream: a web seed's host or a node's ID.",
	}, []string{"kind", "upstream"})
	m.upstreams.seen = make(map[string]struct{})
	leased := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "shoal_tracker_leases", Help: "Leases there are."},
		func() float64 { return float64(t.leases.Active()) })
	alive := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "shoal_tracker_nodes_alive", Help: "Live nodes, guests among them."},
		func() float64 { return float64(t.nodes.Alive()) })
	m.all.MustRegister(m.announces, m.duration, m.held, m.granted, m.refused, m.pushed, m.egress, leased, alive, counts{t},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.all, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
}

func (m *metrics) announced(took time.Duration, t registry.Ticket, err error) {
	result := "ok"
	switch {
	case err != nil:
		result = "refused"
	case t.Resync:
		result = "resync"
	case t.Stale:
		result = "stale"
	case t.Started:
		result = "started"
	}
	m.announces.WithLabelValues(result).Inc()
	m.duration.Observe(took.Seconds())
}

func (m *metrics) leased(reply api.LeaseReply) {
	if reply.Push != "" {
		m.pushed.Inc()
	}
	if reply.Lease == nil {
		m.refused.WithLabelValues(string(reply.Reason)).Inc()
		return
	}
	m.granted.WithLabelValues(string(reply.Lease.Upstream.Kind)).Inc()
}

// read counts what nodes have read from an upstream.
func (m *metrics) read(from api.Upstream, bytes int64) {
	name := from.Name
	if u, err := url.Parse(name); from.Kind == api.WebSeed && err == nil {
		name = u.Host
	}
	m.egress.WithLabelValues(string(from.Kind), m.upstreams.bounded(name)).Add(float64(bytes))
}

// labels bounds how many values a label takes. It is guarded by its user's lock.
type labels struct{ seen map[string]struct{} }

const maxLabels = 500

// bounded returns the value itself, or "other" when there are too many.
func (l *labels) bounded(value string) string {
	if _, ok := l.seen[value]; !ok {
		if len(l.seen) >= maxLabels {
			return "other"
		}
		l.seen[value] = struct{}{}
	}
	return value
}

var (
	contentsDesc = prometheus.NewDesc("shoal_tracker_contents", "Registered contents.", nil, nil)
	tasksDesc    = prometheus.NewDesc("shoal_tracker_tasks", "Tasks by state, as last saved.", []string{"state"}, nil)
)

// counts asks the database when the metrics are read.
type counts struct{ t *Tracker }

func (c counts) Describe(ch chan<- *prometheus.Desc) {
	ch <- contentsDesc
	ch <- tasksDesc
}

func (c counts) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), pingTimeout)
	defer cancel()
	n, err := c.t.db.CountContents(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(contentsDesc, err)
	} else {
		ch <- prometheus.MustNewConstMetric(contentsDesc, prometheus.GaugeValue, float64(n))
	}
	byState, err := c.t.db.CountTasks(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(tasksDesc, err)
		return
	}
	for _, s := range []api.State{api.Pending, api.Running, api.Succeeded, api.Failed, api.Cancelled} {
		ch <- prometheus.MustNewConstMetric(tasksDesc, prometheus.GaugeValue, float64(byState[s]), string(s))
	}
}
