package fallback

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shoal-cdn/shoal"
)

// answer begins an answer that claims to be the range asked for.
func answer(w http.ResponseWriter, r *http.Request, size int) (from, to int64) {
	fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &from, &to)
	w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to, size))
	return from, to + 1
}

// wrongs are upstreams that do one thing wrong each. data is the right content.
var wrongs = []struct {
	name   string
	serve  func(data []byte, w http.ResponseWriter, r *http.Request)
	reason string // part of what is reported
	final  bool   // benched at the first offence
	kind   error
}{
	{"status 404", func(_ []byte, w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) },
		"status 404 Not Found", true, shoal.ErrNotFound},
	{"status 403", func(_ []byte, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) },
		"status 403 Forbidden", true, shoal.ErrUnavailable},
	{"status 503", func(_ []byte, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) },
		"status 503", false, shoal.ErrUnavailable},
	{"wrong bytes", func(data []byte, w http.ResponseWriter, r *http.Request) {
		from, to := answer(w, r, len(data))
		w.WriteHeader(206)
		_, _ = w.Write(make([]byte, to-from))
	}, "do not verify", true, shoal.ErrCorrupt},
	{"no ranges", func(data []byte, w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(data) },
		"does not support ranges", true, shoal.ErrUnavailable},
	{"wrong length of the file", func(data []byte, w http.ResponseWriter, r *http.Request) {
		answer(w, r, len(data)+1)
		w.WriteHeader(206)
	}, "wrong length: its file has", true, shoal.ErrCorrupt},
	{"wrong length of the range", func(data []byte, w http.ResponseWriter, r *http.Request) {
		from, to := answer(w, r, len(data))
		w.Header().Set("Content-Length", fmt.Sprint(to-from-1))
		w.WriteHeader(206)
	}, "wrong length:", true, shoal.ErrCorrupt},
	{"another range", func(data []byte, w http.ResponseWriter, r *http.Request) {
		r.Header.Set("Range", "bytes=1-2")
		answer(w, r, len(data))
		w.WriteHeader(206)
	}, "wrong range: 1–2", true, shoal.ErrCorrupt},
	{"no Content-Range", func(_ []byte, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(206) },
		"header Content-Range", true, shoal.ErrCorrupt},
	{"compressed", func(data []byte, w http.ResponseWriter, r *http.Request) {
		answer(w, r, len(data))
		w.Header().Set("Content-Encoding", "gzip")
		w.WriteHeader(206)
	}, `encoded as "gzip"`, true, shoal.ErrCorrupt},
	{"redirect loop", func(_ []byte, w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.Path+"?again", http.StatusFound)
	}, "redirected too often", true, nil},
	{"redirect to a file", func(_ []byte, w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
	}, "redirected to a URL that cannot be fetched from", true, shoal.ErrInvalid},
	{"a byte a second", func(data []byte, w http.ResponseWriter, r *http.Request) {
		from, to := answer(w, r, len(data))
		w.WriteHeader(206)
		for ; from < to && r.Context().Err() == nil; from++ {
			_, _ = w.Write(data[from : from+1])
			_ = http.NewResponseController(w).Flush()
			time.Sleep(time.Second)
		}
	}, "too slow|another connection was faster: ", false, shoal.ErrUnavailable},
	{"endless body", func(data []byte, w http.ResponseWriter, r *http.Request) {
		from, to := answer(w, r, len(data))
		w.WriteHeader(206)
		_, err := w.Write(data[from:to])
		for err == nil {
			_, err = w.Write(data)
		}
	}, "sends more than", true, shoal.ErrCorrupt},
	{"dies in mid-range", func(data []byte, w http.ResponseWriter, r *http.Request) {
		from, to := answer(w, r, len(data))
		w.Header().Set("Content-Length", fmt.Sprint(to-from))
		w.WriteHeader(206)
		_, _ = w.Write(data[from:min(to, from+1000)])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}, "the transfer ended after 1000 of", false, shoal.ErrUnavailable},
	{"silence", func(_ []byte, _ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"no byte for|another connection was faster: 0 bytes", false, shoal.ErrUnavailable},
	{"silence in mid-range", func(data []byte, w http.ResponseWriter, r *http.Request) {
		from, _ := answer(w, r, len(data))
		w.WriteHeader(206)
		_, _ = w.Write(data[from : from+1000])
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}, "no byte for|another connection was faster:", false, shoal.ErrUnavailable},
	{"large header", func(_ []byte, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X", strings.Repeat("x", 1<<20))
	}, "exceeded", false, shoal.ErrUnavailable},
}

const badURL, goodURL = "http://bad.test/f?Signature=secret", "http://good.test/f"

// A broken upstream beside a good one: the content completes, and the bad one is
// named with its reason.
func TestBrokenUpstreamBesideGood(t *testing.T) {
	c := oneFile(t, 6<<20)
	data := c.bytes["file.bin"]
	for _, b := range wrongs {
		t.Run(b.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network, p := newMemnet(), newPieces(c.m)
				good := &origin{c: c, pause: 10 * time.Millisecond}
				defer network.serve("good.test:80", good)()
				defer network.serve("bad.test:80", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { b.serve(data, w, r) }))()
				f := newFetcher(t, network, c, p, badURL, goodURL)
				if err := f.Run(t.Context()); err != nil {
					t.Fatal(err)
				}
				p.check(t, true)
				u := f.Stats().Upstreams[0]
				if !containsAny(u.Reason, b.reason) || (u.State == Benched) != b.final {
					t.Errorf("%s: %q, want %q", u.State, u.Reason, b.reason)
				}
				// A range that was taken from the bad one may have been on its way
				// to the good one's socket, no more.
				if sent := good.sent.Load(); sent > c.m.Size()+maxRange {
					t.Errorf("the good one sent %d bytes of %d", sent, c.m.Size())
				}
			})
		})
	}
}

// A broken upstream alone: the error comes within 30 s and says why.
func TestBrokenUpstreamAlone(t *testing.T) {
	c := oneFile(t, 6<<20)
	data := c.bytes["file.bin"]
	for _, b := range wrongs {
		t.Run(b.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network, p := newMemnet(), newPieces(c.m)
				defer network.serve("bad.test:80", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { b.serve(data, w, r) }))()
				f := newFetcher(t, network, c, p, badURL)
				began := time.Now()
				err := f.Run(t.Context())
				if took := time.Since(began); took > 30*time.Second {
					t.Errorf("took %s", took)
				}
				if err == nil || !errors.Is(err, shoal.ErrUnavailable) || !strings.Contains(err.Error(), "bad.test") ||
					!containsAny(err.Error(), b.reason) || b.kind != nil && !errors.Is(err, b.kind) {
					t.Errorf("error: %v, want %q", err, b.reason)
				}
				if strings.Contains(err.Error(), "secret") {
					t.Errorf("the error has the URL's query in it: %v", err)
				}
				p.check(t, false)
			})
		})
	}
}

// containsAny reports whether s has one of the parts, which "|" separates.
func containsAny(s, parts string) bool {
	return slices.ContainsFunc(strings.Split(parts, "|"), func(part string) bool { return strings.Contains(s, part) })
}

// newFetcher has web seeds by URL, named after their hosts.
func newFetcher(t testing.TB, network *memnet, c content, p Pieces, urls ...string) *Fetcher {
	t.Helper()
	cfg := Config{Manifest: c.m, Pieces: p, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	for _, u := range urls {
		_, host, _ := strings.Cut(u, "//")
		host, _, _ = strings.Cut(host, "/")
		cfg.Upstreams = append(cfg.Upstreams, Upstream{Name: host, URL: u, Kind: WebSeed})
	}
	f, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if network != nil {
		f.dial = network.dial
	}
	return f
}

// TLS errors, and a server that speaks HTTP/2 only.
func TestTLS(t *testing.T) {
	c := oneFile(t, 1<<20)
	trusted, pool := certificate(t)
	for _, tt := range []struct {
		name   string
		client *tls.Config
		server *tls.Config // nil: no TLS
		reason string      // "": it works
	}{
		{"trusted", &tls.Config{RootCAs: pool}, &tls.Config{}, ""},
		{"HTTP/2 only", &tls.Config{RootCAs: pool}, &tls.Config{NextProtos: []string{"h2"}}, ""},
		{"unknown authority", nil, &tls.Config{}, "certificate signed by unknown authority"},
		{"another name", &tls.Config{RootCAs: pool, ServerName: "other.test"}, &tls.Config{}, "not other.test"},
		{"no TLS", nil, nil, "connect over TLS"},
		{"no common version", &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13}, &tls.Config{MaxVersion: tls.VersionTLS12}, "connect over TLS"},
		{"no common protocol", &tls.Config{RootCAs: pool}, &tls.Config{NextProtos: []string{"spdy/3"}}, "it speaks another protocol"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			addr := l.Addr().String()
			if tt.server != nil {
				tt.server.Certificates = []tls.Certificate{trusted}
				l = tls.NewListener(l, tt.server)
			}
			defer serve(l, &origin{c: c})()
			p := newPieces(c.m)
			f := newFetcher(t, nil, c, p)
			f.dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, addr)
			}
			if err := f.add(Upstream{Name: "secure", URL: "https://secure.test/f", Kind: WebSeed, TLS: tt.client}); err != nil {
				t.Fatal(err)
			}
			err = f.Run(t.Context())
			if tt.reason == "" && err != nil || tt.reason != "" && (err == nil || !strings.Contains(err.Error(), tt.reason)) {
				t.Errorf("error: %v, want %q", err, tt.reason)
			}
			p.check(t, tt.reason == "")
		})
	}
}

// certificate is for secure.test and localhost.
func certificate(t testing.TB) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"secure.test", "localhost"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2999, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}
