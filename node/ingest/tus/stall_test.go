package tus

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tus/tusd/v2/pkg/handler"

	"github.com/shoal-cdn/shoal/internal/pipenet"
	"github.com/shoal-cdn/shoal/node/ingest/api"
	"github.com/shoal-cdn/shoal/node/ingest/uploads"
)

// A client that stalls, or sends by the byte, is told that it was too slow; what came stays.
func TestStalledBody(t *testing.T) {
	dir := t.TempDir()
	for name, every := range map[string]time.Duration{"nothing more": 10 * time.Minute, "by the byte": time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				st, err := uploads.Open(uploads.Config{Dir: dir})
				if err != nil {
					t.Fatal(err)
				}
				defer st.Close()
				srv, err := New(Config{Store: st, Context: t.Context(), Idle: time.Hour, Adopted: func(*uploads.Upload) {}})
				if err != nil {
					t.Fatal(err)
				}
				const size = 2 * api.MinBodyBytes
				u, err := srv.data.NewUpload(t.Context(), handler.FileInfo{Size: size})
				if err != nil {
					t.Fatal(err)
				}
				info, err := u.GetInfo(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				mux := http.NewServeMux()
				mux.Handle(Path, srv)
				server := pipenet.Serve(t, mux)
				conn := server.Dial()
				defer func() {
					conn.Close()
					server.Close()
					time.Sleep(every + time.Minute) // tusd lingers, and the client notices with its next byte
				}()
				go func() {
					_, err := fmt.Fprintf(conn, "PATCH %s HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\nContent-Type: application/offset+octet-stream\r\n"+
						"Upload-Offset: 0\r\nContent-Length: %d\r\n\r\n%s", Path+info.ID, size, make([]byte, 100))
					for err == nil {
						time.Sleep(every)
						_, err = conn.Write([]byte{0})
					}
				}()
				begun := time.Now()
				resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					t.Fatal(err)
				}
				text, err := io.ReadAll(resp.Body)
				if resp.StatusCode != http.StatusRequestTimeout || err != nil {
					t.Errorf("status %d %q: %v", resp.StatusCode, text, err)
				}
				if took := time.Since(begun); took > 2*api.MinBodyTime {
					t.Errorf("it took %v", took)
				}
				got, err := srv.data.GetUpload(t.Context(), info.ID)
				if err != nil {
					t.Fatal(err)
				}
				if info, err = got.GetInfo(t.Context()); err != nil || info.Offset < 100 {
					t.Errorf("%d bytes are kept: %v", info.Offset, err)
				}
			})
		})
	}
}
