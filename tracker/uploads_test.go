package tracker

import (
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/internal/pipenet"
)

// Clients that send a .torrent file by the byte give their places back while others
// still wait for one.
func TestSlowUploads(t *testing.T) {
	tr := newTracker(t)
	synctest.Test(t, func(t *testing.T) {
		const size = 1 << 20
		srv := pipenet.Serve(t, tr.Handler())
		for range maxUploads {
			client := srv.Dial()
			defer client.Close()
			go func() { _, _ = io.Copy(io.Discard, client) }()
			go func() {
				_, err := fmt.Fprintf(client, "PUT /v1/contents/%s HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n", shoal.ContentID{1}, torrentType, size)
				for err == nil {
					time.Sleep(time.Second)
					_, err = client.Write([]byte{'d'})
				}
			}()
		}
		time.Sleep(time.Second)
		if n := len(tr.uploads); n != maxUploads {
			t.Errorf("%d places taken, want %d", n, maxUploads)
		}
		time.Sleep(uploadTime(size))
		synctest.Wait()
		if n := len(tr.uploads); n != 0 {
			t.Errorf("%d places taken after %v", n, uploadTime(size))
		}
		srv.Close()
		time.Sleep(time.Second) // the clients notice with their next byte
		synctest.Wait()
	})
	for n, want := range map[int64]time.Duration{0: bodyTimeout, 64 << 20: bodyTimeout + 128*time.Second, -1: bodyTimeout + 128*time.Second} {
		if got := uploadTime(n); got != want {
			t.Errorf("%d bytes: %v, want %v", n, got, want)
		}
	}
}
