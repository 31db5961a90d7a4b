package netprobe

import (
	"bufio"
	"bytes"
	"compress/flate"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
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

// raw sends a request's header and returns the connection.
func raw(t *testing.T, srv *httptest.Server, header string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, strings.ReplaceAll(header, "\n", "\r\n")); err != nil {
		t.Fatal(err)
	}
	return conn
}

// A client that stops in the middle holds a place for MaxTime, and no longer.
// Meanwhile others are refused, except for round trips.
func TestHandlerSlowClients(t *testing.T) {
	get := func(t *testing.T, srv *httptest.Server, query string) int {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), "GET", srv.URL+query, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := srv.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") == "" {
			t.Error("503 without Retry-After")
		}
		return resp.StatusCode
	}
	for _, c := range []struct{ name, header string }{
		{"reader", "GET /?bytes=33554432 HTTP/1.1\nHost: x\n\n"},
		{"writer", "POST / HTTP/1.1\nHost: x\nContent-Length: 1000\n\nbegin"},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := serveHandler(t, HandlerConfig{MaxTime: 400 * time.Millisecond, Parallel: 1})
			conn := raw(t, srv, c.header)
			deadline := time.Now().Add(5 * time.Second)
			for get(t, srv, "?bytes=1") != http.StatusServiceUnavailable {
				if time.Now().After(deadline) {
					t.Fatal("the slow client holds no place")
				}
			}
			if got := get(t, srv, "?bytes=0"); got != http.StatusOK {
				t.Errorf("a request for no bytes: status %d", got)
			}
			for get(t, srv, "?bytes=1") != http.StatusOK {
				if time.Now().After(deadline) {
					t.Fatal("the slow client still holds its place")
				}
			}
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			switch {
			case c.name == "reader" && err == nil:
				t.Errorf("all %d bytes came", len(body))
			case c.name == "writer" && resp.StatusCode != http.StatusRequestTimeout:
				t.Errorf("status %d, want 408", resp.StatusCode)
			}
		})
	}
}
