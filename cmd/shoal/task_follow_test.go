package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// inMemory is a transport to a handler without a network, so that time can be virtual.
type inMemory struct{ http.Handler }

func (h inMemory) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result(), nil
}

// recorder is a display that remembers.
type recorder struct {
	gauges [][]gauge
	said   []string
}

func (r *recorder) show(g []gauge) { r.gauges = append(r.gauges, g) }
func (r *recorder) say(format string, args ...any) {
	r.said = append(r.said, fmt.Sprintf(format, args...))
}
func (r *recorder) close() {}

func awaitScript(t *testing.T, ctx context.Context, answers func(n int, w http.ResponseWriter)) (api.Task, *recorder, error) {
	t.Helper()
	n := 0
	c, err := api.NewClient([]string{"http://tracker"}, &http.Client{Transport: inMemory{http.HandlerFunc(
		func(w http.ResponseWriter, _ *http.Request) {
			n++
			answers(n, w)
		})}})
	if err != nil {
		t.Fatal(err)
	}
	d := &recorder{}
	task, err := awaitTask(ctx, c, "t1", d)
	return task, d, err
}

// B4: a tracker that dies and returns does not end the wait.
func TestAwaitTaskSurvivesTracker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		task, d, err := awaitScript(t, t.Context(), func(n int, w http.ResponseWriter) {
			switch {
			case n == 1:
				answer(w, api.Task{ID: "t1", Version: 1, State: api.Running, Size: 100, Pieces: 10, Nodes: []api.SubTask{{Node: "a", Pieces: 5}}})
			case n < 22:
				api.ProblemOf(fmt.Errorf("tracker: %w", shoal.ErrUnavailable)).Write(w)
			default:
				answer(w, api.Task{ID: "t1", Version: 2, State: api.Succeeded, Size: 100, Pieces: 10, Nodes: []api.SubTask{{Node: "a", Pieces: 10, State: api.Succeeded}}})
			}
		})
		if err != nil || task.State != api.Succeeded {
			t.Fatalf("%+v, %v", task, err)
		}
		if took := time.Since(begun).Round(time.Second); took != 20*trackerRetry {
			t.Errorf("20 attempts took %v, want %v", took, 20*trackerRetry)
		}
		if said := strings.Join(d.said, "|"); len(d.said) != 2 || !strings.HasPrefix(said, "the tracker is away") || d.said[1] != "the tracker is back" {
			t.Errorf("said %q, want once that it is away and once that it is back", said)
		}
		if len(d.gauges) != 2 || d.gauges[0][0].done != 50 || !d.gauges[1][0].ended {
			t.Errorf("shown %+v", d.gauges)
		}
	})
}

func TestAwaitTaskGivesUp(t *testing.T) {
	tests := []struct {
		name   string
		answer func(n int, w http.ResponseWriter)
		want   error
		after  time.Duration
	}{
		{"a tracker that was never there", func(_ int, w http.ResponseWriter) { api.ProblemOf(shoal.ErrUnavailable).Write(w) }, shoal.ErrUnavailable, 0},
		{"no such task", func(_ int, w http.ResponseWriter) { api.ProblemOf(shoal.ErrNotFound).Write(w) }, shoal.ErrNotFound, 0},
		{"the caller leaves", func(_ int, w http.ResponseWriter) { answer(w, api.Task{ID: "t1", State: api.Running}) }, context.DeadlineExceeded, 10 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				begun := time.Now()
				if _, _, err := awaitScript(t, ctx, tt.answer); !errors.Is(err, tt.want) || time.Since(begun) != tt.after {
					t.Errorf("after %v: %v; want %v after %v", time.Since(begun), err, tt.want, tt.after)
				}
			})
		})
	}
}
