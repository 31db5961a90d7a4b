package gateway

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal/node/store/storetest"
)

// startNginx runs nginx by one of the recipes, in which the examples' address and
// folder are replaced, and returns a client of it. Its URLs begin with http://nginx.
func startNginx(t *testing.T, recipe, gateway, files string) *http.Client {
	t.Helper()
	nginx, err := exec.LookPath("nginx")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	text, err := os.ReadFile(filepath.Join("../../deploy/nginx", recipe))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	socket := filepath.Join(dir, "s")
	replaced := string(text)
	for old, now := range map[string]string{
		"listen 80;": "listen unix:" + socket + ";", "127.0.0.1:7073": gateway, "/var/lib/shoal/node/files": files,
	} {
		if files == "" && strings.HasPrefix(old, "/") {
			continue
		}
		if !strings.Contains(replaced, old) {
			t.Fatalf("%s has no %q", recipe, old)
		}
		replaced = strings.ReplaceAll(replaced, old, now)
	}
	conf := filepath.Join(dir, "nginx.conf")
	// One process, as the user that runs the test, with nothing outside of dir.
	if err := os.WriteFile(conf, []byte(fmt.Sprintf(`
daemon off; master_process off; pid %[1]s/pid; error_log stderr;
events {}
http {
	types { video/mp4 mp4; }
	access_log off;
	client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi;
	scgi_temp_path %[1]s/scgi; uwsgi_temp_path %[1]s/uwsgi;
	%[2]s
}`, dir, replaced)), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), nginx, "-p", dir, "-c", conf, "-e", "stderr") // ended before cleanups
	var log bytes.Buffer
	cmd.Stderr = &log
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("nginx: %s", &log)
		}
	})
	rt := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}}
	t.Cleanup(rt.CloseIdleConnections)
	c := &http.Client{Transport: rt}
	eventually(t, "nginx listens", func() bool {
		resp, _, err := fetch(t.Context(), c, "http://nginx/v1/contents/")
		return err == nil && resp.StatusCode == 404
	})
	return c
}

// Through nginx as a proxy everything is as without it (B5).
func TestNginxProxy(t *testing.T) {
	s := storetest.SampleFile(t, "film.mp4", fileSize)
	forKinds(t, s, func(t *testing.T, f *fake, g *Gateway) {
		c := startNginx(t, "proxy.conf", startServer(t, g).PlainAddr().String(), "")
		want, url := f.bytes(0), "http://nginx"+f.url(0)
		for _, r := range []struct {
			header []string
			status int
			want   []span
		}{
			{nil, 200, []span{{0, fileSize}}},
			{[]string{"Range", "bytes=40000-70000"}, 206, []span{{40000, 70001}}},
			{[]string{"Range", "bytes=-100"}, 206, []span{{fileSize - 100, fileSize}}},
			{[]string{"Range", "bytes=0-9,50000-50009"}, 206, []span{{0, 10}, {50000, 50010}}},
			{[]string{"Range", "bytes=999999-"}, 416, nil},
			{[]string{"Range", "bytes=0-9", "If-Range", etag(f.M, 0)}, 206, []span{{0, 10}}},
			{[]string{"Range", "bytes=0-9", "If-Range", `"x"`}, 200, []span{{0, fileSize}}},
			{[]string{"If-None-Match", etag(f.M, 0)}, 304, nil},
			{[]string{"If-Match", `"x"`}, 412, nil},
		} {
			resp, body, err := fetch(t.Context(), c, url, r.header...)
			if err != nil || resp.StatusCode != r.status {
				t.Errorf("%v: %v, %v", r.header, resp, err)
				continue
			}
			got := response{Response: resp, body: body}
			checkBody(t, got, want, r.want)
			checkHeader(t, got, etag(f.M, 0))
		}
		if resp, err := c.Head(url); err != nil || resp.ContentLength != fileSize {
			t.Errorf("HEAD: %v, %v", resp, err)
		}
		eventually(t, "requests end", func() bool { return f.open() == 0 })
	})
}

// What has arrived comes through though the rest is not here.
func TestNginxPassesOnAtOnce(t *testing.T) {
	f := arriving(t, storetest.SampleFile(t, "film.mp4", fileSize))
	f.arrive(0)
	c := startNginx(t, "proxy.conf", startServer(t, New(Config{Library: f})).PlainAddr().String(), "")
	resp, err := c.Get("http://nginx" + f.url(0))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body := make([]byte, fileSize)
	if _, err := io.ReadFull(resp.Body, body[:storetest.PieceLength]); err != nil {
		t.Fatal(err)
	}
	for i := range f.M.NumPieces() {
		f.arrive(i)
	}
	if _, err := io.ReadFull(resp.Body, body[storetest.PieceLength:]); err != nil || !bytes.Equal(body, f.bytes(0)) {
		t.Errorf("the rest: %v", err)
	}
}

// With the recipe for files nginx serves what is published at files/ID, and the
// gateway what is not.
func TestNginxFiles(t *testing.T) {
	film, site := storetest.SampleFile(t, "film.mp4", fileSize), storetest.SampleFolder(t, "site")
	files := t.TempDir()
	id := film.M.ID().String()
	if err := os.Mkdir(filepath.Join(files, id), 0o755); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{id + "/film.mp4": film.Path, site.M.ID().String(): site.Path} {
		if err := os.Rename(to, filepath.Join(files, link)); err != nil {
			t.Fatal(err)
		}
	}
	late := arriving(t, storetest.SampleFile(t, "late.mp4", fileSize)) // and the only one the gateway has
	late.swift = true
	g := New(Config{Library: late})
	c := startNginx(t, "files.conf", startServer(t, g).PlainAddr().String(), files)

	for _, r := range []struct {
		path   string
		status int
		file   string // that is served; "" for none
		ours   bool   // by the gateway
	}{
		{prefix + id + "/files/film.mp4", 200, filepath.Join(files, id, "film.mp4"), false},
		{prefix + site.M.ID().String() + "/files/a/two", 200, filepath.Join(files, site.M.ID().String(), "a/two"), false},
		{prefix + site.M.ID().String() + "/files/b/gr%C3%B6%C3%9Fe.bin", 200, filepath.Join(files, site.M.ID().String(), "b/größe.bin"), false},
		{late.url(0), 200, late.Path, true},
		{prefix + late.M.ID().String() + "/torrent", 200, "", true},
		{prefix + late.M.ID().String() + "/files/", 200, "", true},
		{prefix + site.M.ID().String() + "/files/a", 404, "", true}, // a folder
		{prefix + id + "/files/none.mp4", 404, "", true},
		{prefix + id + "/files/..%2f..%2f..%2f..%2fetc%2fpasswd", 404, "", false},
		{prefix + id + "/files/%2e%2e/%2e%2e/" + id + "/film.mp4", 404, "", false},
		{"/" + id + "/film.mp4", 404, "", false},
	} {
		resp, body, err := fetch(t.Context(), c, "http://nginx"+r.path)
		if err != nil || resp.StatusCode != r.status && !(r.status == 404 && resp.StatusCode == 400) {
			t.Errorf("%s: %v, %v", r.path, resp, err)
			continue
		}
		if ours := strings.Contains(resp.Header.Get("Etag"), late.M.ID().String()); r.file != "" && ours != r.ours {
			t.Errorf("%s: served by the gateway: %v", r.path, ours)
		}
		if r.file == "" {
			continue
		}
		want, err := os.ReadFile(r.file)
		if err != nil || !bytes.Equal(body, want) || resp.Header.Get("X-Content-Type-Options") != "nosniff" || len(resp.Header["Cache-Control"]) != 1 {
			t.Errorf("%s: %d bytes, %v, %v", r.path, len(body), resp.Header, err)
		}
		resp, part, err := fetch(t.Context(), c, "http://nginx"+r.path, "Range", "bytes=5-9")
		if err != nil || resp.StatusCode != 206 || !bytes.Equal(part, want[5:10]) {
			t.Errorf("%s: range: %v, %d bytes, %v", r.path, resp, len(part), err)
		}
		// A tag of the other one makes the download begin anew.
		resp, all, err := fetch(t.Context(), c, "http://nginx"+r.path, "Range", "bytes=5-9", "If-Range", `"other"`)
		if err != nil || resp.StatusCode != 200 || !bytes.Equal(all, want) {
			t.Errorf("%s: If-Range: %v, %d bytes, %v", r.path, resp, len(all), err)
		}
	}
	if sent := g.Stats().Bytes; sent < 2*fileSize || sent > 3*fileSize {
		t.Errorf("the gateway sent %d bytes", sent)
	}
}
