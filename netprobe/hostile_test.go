package netprobe

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
)

// What a gateway may do to a prober: cost it the step's time, and be named.
func TestHostileGateway(t *testing.T) {
	honest := NewHandler(HandlerConfig{})
	block := newBlock()
	endless := func(w http.ResponseWriter) {
		for {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	}
	// download and upload run in place of the honest handler for data.
	type serve func(w http.ResponseWriter, r *http.Request)
	for _, c := range []struct {
		name     string
		download serve
		upload   serve
		kind     error
	}{
		{name: "endless body", kind: shoal.ErrCorrupt,
			download: func(w http.ResponseWriter, _ *http.Request) { endless(w) }},
		{name: "one byte too many", kind: shoal.ErrCorrupt,
			download: func(w http.ResponseWriter, r *http.Request) {
				n, _ := strconv.Atoi(r.URL.Query().Get("bytes"))
				_, _ = io.Copy(w, newFiller(block, int64(n)+1, time.Hour))
			}},
		{name: "no body", kind: shoal.ErrCorrupt,
			download: func(http.ResponseWriter, *http.Request) {}},
		{name: "wrong length", kind: shoal.ErrCorrupt,
			download: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "9223372036854775807")
				_, _ = w.Write(block)
			}},
		{name: "breaks off", kind: shoal.ErrUnavailable,
			download: func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Length", r.URL.Query().Get("bytes"))
				_, _ = w.Write(block[:20000])
				panic(http.ErrAbortHandler)
			}},
		{name: "says nothing", kind: shoal.ErrUnavailable,
			download: func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }},
		{name: "redirects", kind: shoal.ErrUnavailable,
			download: func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.String(), http.StatusFound) }},
		{name: "is busy", kind: shoal.ErrUnavailable,
			download: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }},
		{name: "endless header", kind: shoal.ErrUnavailable,
			download: func(w http.ResponseWriter, _ *http.Request) {
				for i := range 2000 {
					w.Header().Set("X-"+strconv.Itoa(i), "0123456789")
				}
				w.WriteHeader(http.StatusOK)
			}},
		{name: "endless answer", kind: shoal.ErrCorrupt,
			upload: func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body); endless(w) }},
		{name: "answer of other bytes", kind: shoal.ErrCorrupt,
			upload: func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				_, _ = io.WriteString(w, `{"bytes":1e18,"seconds":0}`)
			}},
		{name: "answers before the end", kind: shoal.ErrCorrupt,
			upload: func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"bytes":0,"seconds":0}`) }},
		{name: "takes nothing", kind: shoal.ErrUnavailable,
			upload: func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, mounted(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch {
				case r.Method == http.MethodPost && c.upload != nil:
					c.upload(w, r)
				case r.URL.Query().Get("bytes") != "0" && c.download != nil:
					c.download(w, r)
				default:
					honest.ServeHTTP(w, r)
				}
			})))
			plan := Plan([]Target{g.secure}, Budget{Down: c.download != nil, Up: c.upload != nil})
			for i := range plan {
				plan[i].Bytes, plan[i].Time = 64<<10, 500*time.Millisecond
			}
			start := time.Now()
			for _, r := range g.prober().Run(t.Context(), plan) {
				err := errors.Join(r.Down.Err, r.Up.Err)
				if r.Err != nil || !errors.Is(err, c.kind) {
					t.Errorf("%s: %v, %v, want kind %q", r.Path, r.Err, err, c.kind)
				}
			}
			if took := time.Since(start); took > time.Minute {
				t.Errorf("took %s", took)
			}
		})
	}
}

// A trickle is no error: it is what the path gives, and it ends with the step.
func TestSlowGateway(t *testing.T) {
	t.Parallel()
	honest := NewHandler(HandlerConfig{})
	g := newGateway(t, mounted(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("bytes") == "0" {
			honest.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Length", r.URL.Query().Get("bytes"))
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-r.Context().Done():
				return
			case <-tick.C:
				if _, err := w.Write(make([]byte, 100)); err != nil {
					return
				}
				if err := http.NewResponseController(w).Flush(); err != nil {
					return
				}
			}
		}
	})))
	plan := Plan([]Target{g.secure}, Budget{Down: true})
	for i := range plan {
		plan[i].Time = 500 * time.Millisecond
	}
	for _, r := range g.prober().Run(t.Context(), plan) {
		d := r.Down
		if r.Err != nil || d.Err != nil || d.Goodput < 100 || d.Goodput > 20000 || d.Bytes < 100 || d.Time > 20*time.Second {
			t.Errorf("%s: %+v", r.Path, r)
		}
	}
}
