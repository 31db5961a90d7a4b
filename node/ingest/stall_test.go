package ingest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shoal-cdn/shoal/internal/pipenet"
	"github.com/shoal-cdn/shoal/node/ingest/api"
	"github.com/shoal-cdn/shoal/node/ingest/uploads"
)

// inPipes runs f with a service behind a real server; dial connects to it.
func inPipes(t *testing.T, f func(t *testing.T, s *Service, dial func() net.Conn)) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		st, err := uploads.Open(uploads.Config{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		s, err := New(Config{Store: st, Library: &fakeLibrary{}, Tracker: &fakeTracker{}, Name: "n"})
		if err != nil {
			t.Fatal(err)
		}
		srv := pipenet.Serve(t, s.Handler())
		defer func() {
			srv.Close()
			if err := errors.Join(s.Close(), st.Close()); err != nil {
				t.Error(err)
			}
		}()
		f(t, s, srv.Dial)
	})
}

// exchange sends a request and waits for the answer's status, and for the end of the connection.
func exchange(t *testing.T, c net.Conn, request string) (status int) {
	t.Helper()
	go func() { _, _ = io.WriteString(c, request) }() // not all of it may be taken
	return answered(t, c)
}

// answered is exchange for a request that somebody else sends.
func answered(t *testing.T, c net.Conn) (status int) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(time.Hour))
	in := bufio.NewReader(c)
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Error(err)
	}
	if _, err := in.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("the connection stays: %v", err)
	}
	return resp.StatusCode
}

// A client that announces a body and does not send it gets an answer, and is let go.
func TestStalledBody(t *testing.T) {
	digest := api.ContentDigest + ": " + api.DigestOf(make([]byte, 64)).Field() + "\r\n"
	for name, c := range map[string]struct {
		head string
		want int
	}{
		"chunk":       {"PUT " + api.ChunksPath("t", 0, 1) + " HTTP/1.1\r\nContent-Length: 64\r\n" + digest, http.StatusRequestTimeout},
		"refused":     {"PUT " + api.ChunksPath("t", 0, 1) + " HTTP/1.1\r\nContent-Length: 64\r\n", http.StatusBadRequest},
		"description": {"POST " + api.Path + " HTTP/1.1\r\nTransfer-Encoding: chunked\r\n", http.StatusRequestTimeout},
		"status":      {"GET " + api.UploadPath("t") + " HTTP/1.1\r\nContent-Length: 64\r\n", http.StatusOK},
		"nothing":     {"GET /v1/uploads/t/x HTTP/1.1\r\nContent-Length: 64\r\n", http.StatusNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			inPipes(t, func(t *testing.T, s *Service, dial func() net.Conn) {
				if _, _, err := s.cfg.Store.Create(&api.Description{Task: "t", Name: "f", Size: 64}); err != nil {
					t.Fatal(err)
				}
				conn := dial()
				defer conn.Close()
				if got := exchange(t, conn, c.head+"Host: x\r\n\r\n3"); got != c.want {
					t.Errorf("status %d, want %d", got, c.want)
				}
			})
		})
	}
}

// Descriptions that are announced and do not come keep no memory from others.
func TestStalledDescriptions(t *testing.T) {
	inPipes(t, func(t *testing.T, _ *Service, dial func() net.Conn) {
		for range 10 {
			conn := dial()
			defer conn.Close()
			if _, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n{", api.Path, api.MaxDescriptionBytes); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		conn := dial()
		defer conn.Close()
		body := `{"task":"t","name":"f","size":0}`
		request := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", api.Path, len(body), body)
		if got := exchange(t, conn, request); got != http.StatusCreated {
			t.Errorf("status %d", got)
		}
	})
}

// A few bytes of JSON must not become many in memory.
func TestManyElements(t *testing.T) {
	b := newBench(t, t.TempDir())
	list := `{"task":"t","name":"f","size":0,"x":[0` + strings.Repeat(",0", maxElements) + `]}`
	if status := b.call(http.MethodPost, api.Path, strings.NewReader(list), nil, nil); status != http.StatusBadRequest {
		t.Errorf("status %d", status)
	}
}

// A request that waits for another's completion leaves nothing behind when it is given up.
func TestCompleteGivenUp(t *testing.T) {
	inPipes(t, func(t *testing.T, s *Service, _ func() net.Conn) {
		u, _, err := s.cfg.Store.Create(&api.Description{Task: "t", Name: "f", Size: 64})
		if err != nil {
			t.Fatal(err)
		}
		a := s.attend(u)
		a.finish <- struct{}{} // somebody completes it
		defer func() { <-a.finish }()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := a.complete(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		idle := make(chan struct{})
		go func() { s.working.Wait(); close(idle) }()
		synctest.Wait()
		select {
		case <-idle:
		default:
			t.Error("it still waits")
		}
	})
}
