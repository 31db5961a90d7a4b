package fallback

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// Neither logs nor errors nor statistics repeat the query of a presigned URL, however it
// fails: as a server that refuses, one that redirects, none at all, and none that can be asked.
func TestPresignedURLsStaySecret(t *testing.T) {
	c := oneFile(t, pieceLength)
	refusing := httptest.NewServer(http.NotFoundHandler())
	defer refusing.Close()
	looping := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.String(), http.StatusFound)
	}))
	defer looping.Close()
	gone := httptest.NewServer(nil)
	gone.Close()
	const query = "/file.bin?signature=s3cret"
	for name, base := range map[string]string{"refused": refusing.URL, "redirected": looping.URL, "gone": gone.URL, "forbidden": "http://169.254.1.1"} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			u := Upstream{Name: base + query, URL: base + query, Kind: WebSeed}
			f, err := New(Config{
				Manifest: c.m, Pieces: newPieces(c.m), Upstreams: []Upstream{u}, WebSeeds: loopback,
				Limits: Limits{Patience: 300 * time.Millisecond, Backoff: 50 * time.Millisecond},
				Log:    slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
			})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			err = f.Run(ctx)
			if err == nil || !strings.Contains(err.Error(), base) {
				t.Errorf("error does not name the upstream: %v", err)
			}
			told := map[string]string{"log": log.String(), "error": err.Error(), "reason": f.Stats().Upstreams[0].Reason}
			for where, text := range told {
				if strings.Contains(text, "s3cret") {
					t.Errorf("%s: %s", where, text)
				}
			}
		})
	}
	for _, u := range []Upstream{
		{Name: "https://h/?s3cret", URL: "ftp://h/?s3cret", Kind: WebSeed},
		{Name: "https://h/?s3cret", URL: "https://u:s3cret@h/", Kind: WebSeed},
		{Name: "https://h/?s3cret", URL: "https://h/%zz?s3cret", Kind: WebSeed},
	} {
		if _, err := u.parse(); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", u.URL, err)
		}
	}
}
