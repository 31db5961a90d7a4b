package node

import (
	"errors"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/fallback"
)

// What upstreams brought is known to the fetches to come, for some time, and shows in the metrics (M7).
func TestTransports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ts := newTransports()
		const here, there = "https://192.0.2.1:7280", "https://192.0.2.2:7280"
		want := func(server string, known map[fallback.Transport]shoal.Rate) {
			t.Helper()
			if got := ts.Goodput(server); !maps.Equal(got, known) {
				t.Errorf("%s: %v, want %v", server, got, known)
			}
		}
		ts.Brought(here, fallback.TCP, 800, nil)
		ts.Brought(here, fallback.QUIC, 5000, nil)
		ts.Brought(there, fallback.TCP, 900, nil)
		ts.Brought(there, fallback.QUIC, 0, errors.New("no answer"))
		ts.Brought("https://"+strings.Repeat("x", 5000), fallback.TCP, 1, nil)
		ts.Brought("https://a\xff.example:443", fallback.TCP, 1, nil) // no label
		want(here, map[fallback.Transport]shoal.Rate{fallback.TCP: 800, fallback.QUIC: 5000})
		want(there, map[fallback.Transport]shoal.Rate{fallback.TCP: 900, fallback.QUIC: 0})
		want("https://192.0.2.3", map[fallback.Transport]shoal.Rate{})
		want("ftp://192.0.2.3", nil)
		series := map[string]float64{}
		ts.collect(func(_ *prometheus.Desc, v float64, labels ...string) { series[strings.Join(labels, " ")] = v })
		if !maps.Equal(series, map[string]float64{here + " tcp": 800, here + " quic": 5000, there + " tcp": 900, there + " quic": 0}) {
			t.Errorf("metrics: %v", series)
		}

		time.Sleep(6 * time.Minute)
		ts.Brought(there, fallback.TCP, 0, nil) // beside HTTP/3, which works now
		ts.Brought(there, fallback.QUIC, 700, nil)
		time.Sleep(6 * time.Minute)
		want(here, map[fallback.Transport]shoal.Rate{})
		want(there, map[fallback.Transport]shoal.Rate{fallback.TCP: 450, fallback.QUIC: 700})
	})
}

// What a scrape cannot say is an error of that scrape, and no panic.
func TestConstMetric(t *testing.T) {
	if err := constMetric(descTransport, prometheus.GaugeValue, 1, "https://a\xff.example", "tcp").Write(nil); err == nil {
		t.Error("no error")
	}
}
