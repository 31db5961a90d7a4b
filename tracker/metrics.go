package tracker

import (
	"context"
	"net/http"
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
	alive := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "shoal_tracker_nodes_alive", Help: "Live nodes, guests among them."},
		func() float64 { return float64(t.nodes.Alive()) })
	m.all.MustRegister(m.announces, m.duration, m.held, alive, counts{t},
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
