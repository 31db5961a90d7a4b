package gateway

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shoal-cdn/shoal/internal/pipenet"
)

// A client that announces a body for what is not there, and does not send it, is let go.
func TestStalledBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here := pipenet.Serve(t, New(Config{})).Dial()
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
