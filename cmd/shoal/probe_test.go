package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"testing"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/netprobe"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// probeCommand runs "shoal probe" and returns what it printed.
func probeCommand(ctx context.Context, stderr io.Writer, args ...string) (stdout string, err error) {
	var out bytes.Buffer
	cmd := newProbe(&app{stdout: &out, stderr: stderr})
	cmd.SetArgs(args)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err = cmd.ExecuteContext(ctx)
	return out.String(), err
}

func fakeGateway(t *testing.T) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle(netprobe.Endpoint, netprobe.NewHandler(netprobe.HandlerConfig{}))
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv.URL
}

// A node of the tracker's list is measured although another one is gone.
func TestProbeTracker(t *testing.T) {
	gateway := fakeGateway(t)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/nodes", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, []api.Node{
			{NodeInfo: api.NodeInfo{ID: "gone", Name: "gone", Gateway: []string{"http://127.0.0.1:1"}}, Alive: true},
			{NodeInfo: api.NodeInfo{ID: "edge", Name: "edge-1", Gateway: []string{"nonsense\x1b", gateway}, Locality: shoal.Locality{Carrier: "AS2"}}, Alive: true},
			{NodeInfo: api.NodeInfo{ID: "dead", Name: "dead", Gateway: []string{gateway}}},
			{NodeInfo: api.NodeInfo{ID: "bare", Name: "bare"}, Alive: true},
		})
	})
	tracker := httptest.NewServer(mux)
	t.Cleanup(tracker.Close)
	args := []string{"--tracker", tracker.URL, "--carrier", "AS1", "--bytes", "1MiB"}

	table, err := probeCommand(t.Context(), io.Discard, args...)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`(?m)^gone +http://127.0.0.1:1 +tcp +- +- +- +- +- +connect: unavailable: .*connection refused$`,
		`(?m)^edge-1 +http://\S+ +tcp +[0-9.]+[mµ]s +\S+ +\S+bit +\S+bit +yes +only TCP was measured$`,
	} {
		if !regexp.MustCompile(want).MatchString(table) {
			t.Errorf("table lacks %s:\n%s", want, table)
		}
	}

	text, err := probeCommand(t.Context(), io.Discard, append(args, "--json")...)
	if err != nil {
		t.Fatal(err)
	}
	var report []pathReport
	if err := json.Unmarshal([]byte(text), &report); err != nil || len(report) != 2 {
		t.Fatalf("%v, report %s", err, text)
	}
	if p := report[1]; p.Node != "edge-1" || p.Address != gateway || p.RTT.Min == nil || p.Down.Goodput == nil || p.Up.Goodput == nil || !p.Recommended {
		t.Errorf("report %+v", p)
	}
}

// Ctrl-C ends a probe at once and leaves what was measured.
func TestProbeInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	honest := netprobe.NewHandler(netprobe.HandlerConfig{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("bytes") == "0" {
			honest.ServeHTTP(w, r)
			return
		}
		cancel(errInterrupted{os.Interrupt})
		<-r.Context().Done()
	}))
	t.Cleanup(srv.Close)
	table, err := probeCommand(ctx, io.Discard, srv.URL)
	if _, ok := errors.AsType[errInterrupted](err); !ok {
		t.Errorf("%v", err)
	}
	if !regexp.MustCompile(`tcp +[0-9.]+[mµ]s .*stopped by signal`).MatchString(table) {
		t.Errorf("table:\n%s", table)
	}
}
