package netprobe

import (
	"bufio"
	"bytes"
	"compress/flate"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shoal-cdn/shoal/internal/pipenet"
)

func serveHandler(t *testing.T, c HandlerConfig) *httptest.Server {
	t.Helper()
	srv := httptest.NewUnstartedServer(NewHandler(c))
	srv.Config.ConnContext = ConnContext
	srv.Start()
	t.Cleanup(srv.Close)
	return srv
}

func TestHandlerAnswers(t *testing.T) {
	srv := serveHandler(t, HandlerConfig{MaxBytes: 1 << 20})
	for _, c := range []struct {
		method, query string
		body          int64
		status        int
		length        int
	}{
		{"GET", "", 0, 200, 0},
		{"GET", "?bytes=0", 0, 200, 0},
		{"GET", "?bytes=1", 0, 200, 1},
		{"GET", "?bytes=1048576", 0, 200, 1 << 20},
		{"GET", "?bytes=1048577", 0, 400, -1},
		{"GET", "?bytes=-1", 0, 400, -1},
		{"GET", "?bytes=9223372036854775808", 0, 400, -1},
		{"GET", "?bytes=x", 0, 400, -1},
		{"GET", "?bytes=1000&ms=60000", 0, 200, 1000},
		{"GET", "?bytes=1000&ms=0", 0, 200, 0},
		{"GET", "?bytes=1000&ms=-1", 0, 400, -1},
		{"GET", "?bytes=1000&ms=9223372036854775808", 0, 400, -1},
		{"POST", "", 0, 200, -1},
		{"POST", "", 1 << 20, 200, -1},
		{"POST", "", 1<<20 + 1, 413, -1},
		{"PUT", "", 0, 405, -1},
	} {
		t.Run(fmt.Sprintf("%s %s %d", c.method, c.query, c.body), func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), c.method, srv.URL+c.query, newFiller(newBlock(), c.body, time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := srv.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			got, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != c.status || c.length >= 0 && len(got) != c.length {
				t.Fatalf("status %d, %d bytes, %v", resp.StatusCode, len(got), err)
			}
			if c.method == "POST" && c.status == 200 {
				var r received
				if err := json.Unmarshal(got, &r); err != nil || r.Bytes != c.body || r.Seconds <= 0 {
					t.Errorf("answer %s, %v", got, err)
				}
			}
		})
	}
}

func TestHandlerIncompressible(t *testing.T) {
	var small bytes.Buffer
	w, err := flate.NewWriter(&small, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	const n = 2 * blockBytes
	if _, err := io.Copy(w, newFiller(newBlock(), n, time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil || small.Len() < n {
		t.Errorf("%d bytes became %d, %v", n, small.Len(), err)
	}
}

// A client that reads as fast as it can gets no more than the time allows.
func TestHandlerKeepsTime(t *testing.T) {
	srv := serveHandler(t, HandlerConfig{MaxBytes: 1 << 40})
	req, err := http.NewRequestWithContext(t.Context(), "GET", srv.URL+"?bytes=1099511627776&ms=50", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if n, err := io.Copy(io.Discard, resp.Body); err != nil || n == 0 || n > 1<<33 {
		t.Errorf("%d bytes, %v", n, err)
	}
}

// A client that stops in the middle holds a place for MaxTime, and no longer.
// Meanwhile others are refused, except for round trips.
func TestHandlerSlowClients(t *testing.T) {
	for _, c := range []struct {
		name, header string
		status       int // 0: the answer is broken off
	}{
		{"reader", "GET /?bytes=33554432 HTTP/1.1\r\nHost: x\r\n\r\n", 0},
		{"writer", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nbegin", http.StatusRequestTimeout},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const most = 5 * time.Second
				srv := pipenet.Serve(t, NewHandler(HandlerConfig{MaxTime: most, Parallel: 1}))
				conns := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return srv.Dial(), nil }}
				defer conns.CloseIdleConnections()
				get := func(query string, want int) {
					t.Helper()
					resp, err := (&http.Client{Transport: conns}).Get("http://x/" + query)
					if err != nil {
						t.Fatal(err)
					}
					resp.Body.Close()
					busy := resp.StatusCode == http.StatusServiceUnavailable
					if resp.StatusCode != want || busy != (resp.Header.Get("Retry-After") != "") {
						t.Errorf("%s: status %d, header %v; want status %d", query, resp.StatusCode, resp.Header, want)
					}
				}
				slow := srv.Dial()
				defer slow.Close()
				if _, err := io.WriteString(slow, c.header); err != nil {
					t.Fatal(err)
				}
				time.Sleep(most - time.Second)
				get("?bytes=1", http.StatusServiceUnavailable)
				get("?bytes=0", http.StatusOK)
				time.Sleep(2 * time.Second)
				get("?bytes=1", http.StatusOK)
				resp, err := http.ReadResponse(bufio.NewReader(slow), nil)
				switch {
				case c.status == 0 && err == nil:
					t.Errorf("status %d", resp.StatusCode)
				case c.status != 0 && (err != nil || resp.StatusCode != c.status):
					t.Errorf("%+v, %v; want status %d", resp, err, c.status)
				}
			})
		})
	}
}
