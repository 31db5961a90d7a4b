package gateway

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// oneConn is a listener in memory, so that time can be virtual.
type oneConn chan net.Conn

func (l oneConn) Accept() (net.Conn, error) {
	c, ok := <-l
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (l oneConn) Close() error { close(l); return nil }

func (l oneConn) Addr() net.Addr { return &net.TCPAddr{} }

// A client that announces a body for what is not there, and does not send it, is let go.
func TestStalledBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := make(oneConn)
		srv := &http.Server{Handler: New(Config{})}
		go func() { _ = srv.Serve(l) }()
		defer func() {
			_ = srv.Close()
			time.Sleep(time.Second) // package http lingers with a connection that it closes
		}()
		here, there := net.Pipe()
		l <- there
		defer here.Close()
		go func() { _, _ = io.WriteString(here, "GET /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 64\r\n\r\n3") }()
		_ = here.SetReadDeadline(time.Now().Add(time.Minute))
		in := bufio.NewReader(here)
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusNotFound {
			t.Errorf("status %d: %v", resp.StatusCode, err)
		}
		if _, err := in.ReadByte(); !errors.Is(err, io.EOF) {
			t.Errorf("the connection stays: %v", err)
		}
	})
}
