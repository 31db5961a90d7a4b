//go:build linux

package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// webDriver runs nginx at the origin, and curl at each node: one for each
// content, all at once. Over HTTPS every copy is hashed afterwards, which makes it
// as well protected as what the other tools bring.
type webDriver struct {
	*crew
	secure bool
	origin string // URL of the originals' folder
}

func openHTTP(s stage) (driver, error)  { return &webDriver{crew: newCrew(s)}, nil }
func openHTTPS(s stage) (driver, error) { return &webDriver{crew: newCrew(s), secure: true}, nil }

const webPort = 8080

func (d *webDriver) startOrigin(ctx context.Context, m member) (err error) {
	d.origin, err = d.startNginx(ctx, m, d.secure)
	return err
}

// startNginx serves the originals, and returns the URL of their folder.
func (c *crew) startNginx(ctx context.Context, m member, secure bool) (string, error) {
	home := c.home(m)
	if err := os.MkdirAll(home, 0o755); err != nil {
		return "", err
	}
	addr, tls, scheme := m.host.AddrPort(webPort).String(), "", "http"
	if secure {
		if err := writeCertificate(home); err != nil {
			return "", fmt.Errorf("make certificate: %w", err)
		}
		tls, scheme = " ssl", "https"
	}
	// One process, as the other tools; keepalive_requests: all files over one
	// connection.
	conf := fmt.Sprintf(`daemon off; master_process off; user root; pid %[1]s/nginx.pid; error_log %[1]s/error.log;
events { worker_connections 4096; }
http {
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000;
  client_body_temp_path %[1]s/t1; proxy_temp_path %[1]s/t2; fastcgi_temp_path %[1]s/t3; uwsgi_temp_path %[1]s/t4; scgi_temp_path %[1]s/t5;
  server {
    listen %[2]s%[3]s; root %[4]s;
    ssl_certificate %[1]s/cert.pem; ssl_certificate_key %[1]s/key.pem;
  }
}
`, home, addr, tls, filepath.Dir(c.contents[0].path))
	if !secure {
		conf = withoutLines(conf, "ssl_certificate")
	}
	file := filepath.Join(home, "nginx.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		return "", err
	}
	p, err := c.start(m, "nginx", "-p", home, "-c", file)
	if err != nil {
		return "", err
	}
	return scheme + "://" + addr, until(ctx, "wait for nginx", p, func(ctx context.Context) (bool, error) {
		conn, err := m.host.DialContext(ctx, "tcp", addr)
		if err != nil {
			return false, err
		}
		return true, conn.Close()
	})
}

func withoutLines(text, part string) string {
	var kept strings.Builder
	for line := range strings.Lines(text) {
		if !strings.Contains(line, part) {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

// startNode starts nothing: curl is not a daemon.
func (d *webDriver) startNode(_ context.Context, m member) error { return d.makeHome(m) }

func (d *webDriver) fetch(_ context.Context, ms []member) error {
	for _, m := range ms {
		for _, c := range d.contents {
			list, err := d.list(m, c)
			if err != nil {
				return err
			}
			check := ""
			if d.secure {
				check = `find "$2" -type f -exec sha256sum {} + >/dev/null && `
			}
			script := `curl -sSk --fail --create-dirs -K "$1" && ` + check + `: >"$3"`
			if _, err := d.start(m, "sh", "-c", script, "sh", list, d.output(m, c), d.marker(m, c)); err != nil {
				return err
			}
		}
	}
	return nil
}

// list writes the list of what curl is to fetch.
func (d *webDriver) list(m member, c content) (string, error) {
	var b strings.Builder
	add := func(path string) {
		fmt.Fprintf(&b, "url = %q\noutput = %q\n", d.origin+"/"+path, filepath.Join(d.folder(m, c), path))
	}
	if c.files == nil {
		add(c.name)
	}
	for _, name := range c.files {
		add(c.name + "/" + name)
	}
	file := d.folder(m, c) + ".list"
	return file, os.WriteFile(file, []byte(b.String()), 0o644)
}

// writeCertificate makes a key and a certificate that nobody has to trust.
func writeCertificate(dir string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour),
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	write := func(name, kind string, der []byte) error {
		return os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
	}
	return errors.Join(write("cert.pem", "CERTIFICATE", cert), write("key.pem", "PRIVATE KEY", private))
}
