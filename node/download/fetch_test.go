package download

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"

	"github.com/shoal-cdn/shoal"
)

// inBubble runs a test in virtual time with a server.
func inBubble(t *testing.T, handler http.HandlerFunc, test func(t *testing.T, w *web)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newWeb(t, handler)) })
}

// Every server from which the file can be had, and how it is had.
func TestFetch(t *testing.T) {
	data := noise(1, size)
	calls := 0 // of the case under way
	tests := []struct {
		name     string
		data     []byte
		serve    http.HandlerFunc
		requests []string      // nil: not looked at
		within   time.Duration // of virtual time
	}{
		{"a good one", data, func(w http.ResponseWriter, r *http.Request) { file(w, r, `"v1"`, data) }, []string{"bytes=0-"}, 0},
		{"an empty file", nil, func(w http.ResponseWriter, r *http.Request) { file(w, r, `"v1"`, nil) }, []string{"bytes=0-"}, 0},
		{"an empty file, 416", nil, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Range", "bytes */0")
			w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
		}, []string{"bytes=0-"}, 0},
		{"no ranges", data, func(w http.ResponseWriter, r *http.Request) {
			r.Header.Del("Range")
			file(w, r, "", data)
		}, []string{"bytes=0-"}, 0},
		{"length not told", data, func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write(data[:500_000])
			_ = http.NewResponseController(w).Flush()
			_, _ = w.Write(data[500_000:])
		}, []string{"bytes=0-"}, 0},
		{"redirected", data, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/5" {
				calls++
				http.Redirect(w, r, fmt.Sprintf("/%d", calls), http.StatusFound)
				return
			}
			file(w, r, `"v1"`, data)
		}, slices.Repeat([]string{"bytes=0-"}, 6), 0},
		{"breaks", data, func(w http.ResponseWriter, r *http.Request) {
			file(&breaking{w, 300_000}, r, `"v1"`, data)
		}, []string{"bytes=0-", `bytes=300000- "v1"`, `bytes=600000- "v1"`, `bytes=900000- "v1"`}, 3 * time.Second},
		{"breaks, known by its time", data, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Last-Modified", "Fri, 01 Jan 1999 00:00:00 GMT")
			w.Header().Set("Date", time.Now().UTC().Format(http.TimeFormat))
			http.ServeContent(&breaking{w, 600_000}, r, "x", time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC), bytes.NewReader(data))
		}, nil, time.Second},
		{"breaks, nothing to know it by", data, func(w http.ResponseWriter, r *http.Request) {
			if calls++; calls == 1 {
				file(&breaking{w, 300_000}, r, "", data)
				return
			}
			file(w, r, "", data)
		}, []string{"bytes=0-", "bytes=0-"}, time.Second},
		{"breaks, known by a weak tag", data, func(w http.ResponseWriter, r *http.Request) {
			if calls++; calls == 1 {
				file(&breaking{w, 300_000}, r, `W/"v1"`, data)
				return
			}
			file(w, r, `W/"v1"`, data)
		}, []string{"bytes=0-", "bytes=0-"}, time.Second},
		{"serves a little at a time", data, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", `"v1"`)
			first := firstOf(r)
			serveRange(w, data, first, min(first+100_000, len(data))-1)
		}, nil, 0},
		{"errors at first", data, func(w http.ResponseWriter, r *http.Request) {
			if calls++; calls < 4 {
				http.Error(w, "busy", http.StatusServiceUnavailable)
				return
			}
			file(w, r, `"v1"`, data)
		}, nil, 5 * time.Second},
		{"hangs at first", data, func(w http.ResponseWriter, r *http.Request) {
			if calls++; calls == 1 {
				<-r.Context().Done()
				return
			}
			file(w, r, `"v1"`, data)
		}, nil, stallTime + time.Second},
		{"hangs in the middle", data, func(w http.ResponseWriter, r *http.Request) {
			if calls++; calls == 1 {
				w.Header().Set("ETag", `"v1"`)
				w.Header().Set("Content-Length", fmt.Sprint(len(data)))
				_, _ = w.Write(data[:200_000])
				_ = http.NewResponseController(w).Flush()
				<-r.Context().Done()
				return
			}
			file(w, r, `"v1"`, data)
		}, []string{"bytes=0-", `bytes=200000- "v1"`}, 2*stallTime + time.Second},
		{"changes", noise(2, size+5), func(w http.ResponseWriter, r *http.Request) {
			if calls++; calls == 1 {
				file(&breaking{w, 300_000}, r, `"v1"`, data)
				return
			}
			file(w, r, `"v2"`, noise(2, size+5))
		}, []string{"bytes=0-", `bytes=300000- "v1"`}, time.Second},
		{"changes, and does not heed If-Range", noise(2, size), func(w http.ResponseWriter, r *http.Request) {
			r.Header.Del("If-Range")
			if calls++; calls == 1 {
				file(&breaking{w, 300_000}, r, `"v1"`, data)
				return
			}
			file(w, r, `"v2"`, noise(2, size))
		}, []string{"bytes=0-", `bytes=300000- "v1"`, "bytes=0-"}, 3 * time.Second},
		{"gets shorter", data[:1000], func(w http.ResponseWriter, r *http.Request) {
			r.Header.Del("If-Range")
			if calls++; calls == 1 {
				file(&breaking{w, 300_000}, r, `"v1"`, data)
				return
			}
			file(w, r, `"v2"`, data[:1000])
		}, []string{"bytes=0-", `bytes=300000- "v1"`, "bytes=0-"}, 3 * time.Second},
		{"sends more than the range", data, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes 0-%d/%d", size-1, size))
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write(data)
			forever(w, r, data, time.Second)
		}, []string{"bytes=0-"}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, tt.serve, func(t *testing.T, w *web) {
				calls = 0
				begun := time.Now()
				w.mustFetch(tt.data)
				if took := time.Since(begun); took > tt.within {
					t.Errorf("took %v, want %v", took, tt.within)
				}
				if requests, _ := w.seen(); tt.requests != nil && !slices.Equal(requests, tt.requests) {
					t.Errorf("requests %q, want %q", requests, tt.requests)
				}
				if left := w.left(); len(left) > 0 {
					t.Errorf("left behind: %v", left)
				}
			})
		})
	}
}

// Every server from which it cannot be had: the fetch ends, says why, and
// leaves nothing that is of no use.
func TestFetchFails(t *testing.T) {
	data := noise(1, size)
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	const atOnce, patient = time.Duration(0), patience + stallTime + longestPause
	tests := []struct {
		name   string
		serve  http.HandlerFunc
		kind   error
		says   string
		within time.Duration
		parts  bool // what is there stays
	}{
		{"404", status(404), shoal.ErrNotFound, "answers 404 Not Found", atOnce, false},
		{"410", status(410), shoal.ErrNotFound, "answers 410 Gone", atOnce, false},
		{"403", status(403), shoal.ErrInvalid, "answers 403 Forbidden", atOnce, false},
		{"204", status(204), shoal.ErrInvalid, "answers 204 No Content", atOnce, false},
		{"304", status(304), shoal.ErrInvalid, "answers 304", atOnce, false},
		{"416", status(416), shoal.ErrInvalid, "answers 416", atOnce, false},
		{"500", status(500), shoal.ErrUnavailable, "answers 500", patient, false},
		{"429", status(429), shoal.ErrUnavailable, "answers 429", patient, false},
		{"redirect loop", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/again", http.StatusFound) },
			shoal.ErrInvalid, "redirected more than 5 times", atOnce, false},
		{"redirect with a user", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://u@h.example/", http.StatusFound)
		},
			shoal.ErrInvalid, "redirected: ", atOnce, false},
		{"redirect elsewhere", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		},
			shoal.ErrInvalid, "neither http nor https", atOnce, false},
		{"length beyond the limit", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", fmt.Sprint(10*size+1)) },
			shoal.ErrInvalid, "has 10000001 bytes, and the operator of the node allows 10000000", atOnce, false},
		{"endless", func(w http.ResponseWriter, r *http.Request) { forever(w, r, data, 0) },
			shoal.ErrInvalid, "more than the 10000000 bytes", atOnce, false},
		{"compressed", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			file(w, r, `"v1"`, data)
		}, shoal.ErrInvalid, `encoded as "gzip"`, atOnce, false},
		{"other bytes than asked for", func(w http.ResponseWriter, _ *http.Request) { serveRange(w, data, 7, 100) },
			shoal.ErrInvalid, "bytes from 7 on", atOnce, false},
		{"several parts", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "multipart/byteranges; boundary=x")
			w.WriteHeader(http.StatusPartialContent)
		}, shoal.ErrInvalid, "Content-Range", atOnce, false},
		{"nobody knows where it ends", func(w http.ResponseWriter, _ *http.Request) { hijack(w, "HTTP/1.1 200 OK\r\n\r\n"+string(data)) },
			shoal.ErrInvalid, "neither how long", atOnce, false},
		{"no HTTP", func(w http.ResponseWriter, _ *http.Request) { hijack(w, "SSH-2.0-x\r\n") },
			shoal.ErrUnavailable, "malformed HTTP", patient, false},
		{"promises more than it sends", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", `"v1"`)
			hijack(w, fmt.Sprintf("HTTP/1.1 200 OK\r\nETag: \"v1\"\r\nContent-Length: %d\r\n\r\n%s", size+1, data))
		}, shoal.ErrUnavailable, "gave up at byte 1000000: unavailable: unexpected EOF", patient, true},
		{"starts over again and again", func(w http.ResponseWriter, r *http.Request) { file(&breaking{w, 300_000}, r, "", data) },
			shoal.ErrUnavailable, "gave up at byte", patient, false},
		{"hangs", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
			shoal.ErrUnavailable, "0 bytes in 10s", patient, false},
		{"drips", func(w http.ResponseWriter, r *http.Request) { forever(w, r, []byte{1}, time.Second) },
			shoal.ErrUnavailable, "bytes in 10s", patient, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, tt.serve, func(t *testing.T, w *web) {
				begun := time.Now()
				_, _, err := w.fetch()
				if !errors.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "secret") {
					t.Errorf("error %v, want kind %v and %q", err, tt.kind, tt.says)
				}
				if took := time.Since(begun); took > tt.within {
					t.Errorf("took %v, want %v", took, tt.within)
				}
				if left := w.left(); (len(left) > 0) != tt.parts {
					t.Errorf("left behind: %v", left)
				}
			})
		})
	}
}

// A file for which the disk has no room is not begun.
func TestDiskFull(t *testing.T) {
	if _, known := freeSpace(t.TempDir()); !known {
		t.Skip("needs to know how much space is free")
	}
	inBubble(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(1<<60))
	}, func(t *testing.T, w *web) {
		w.max = 1 << 61
		w.restart()
		begun := time.Now()
		_, _, err := w.fetch()
		if !errors.Is(err, syscall.ENOSPC) || !errors.Is(err, shoal.ErrUnavailable) || !strings.Contains(err.Error(), "needs another 1048576TiB") || time.Since(begun) > 0 {
			t.Errorf("error %v", err)
		}
		if left := w.left(); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
}

func TestLimiter(t *testing.T) {
	data := noise(1, size)
	inBubble(t, func(w http.ResponseWriter, r *http.Request) { file(w, r, `"v1"`, data) }, func(t *testing.T, w *web) {
		w.limiter = rate.NewLimiter(100_000, BufferSize)
		w.restart()
		begun := time.Now()
		w.mustFetch(data)
		if took := time.Since(begun).Round(time.Second); took != 7*time.Second { // but for the first buffer
			t.Errorf("took %v", took)
		}
	})
}

// A large part becomes durable on the way: kill -9 and power cuts cost little.
func TestDurableOnTheWay(t *testing.T) {
	inBubble(t, http.NotFound, func(t *testing.T, w *web) {
		hash, err := shoal.NewFileHasher("x")
		if err != nil {
			t.Fatal(err)
		}
		p, err := w.folder.openPart("key", testURL, hash)
		if err != nil {
			t.Fatal(err)
		}
		p.state.Validator = `"v1"`
		b := make([]byte, 1<<20)
		for range syncBytes/len(b) + 1 {
			if err := p.append(b); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.file.Close(); err != nil { // and nothing else, as when it is killed
			t.Fatal(err)
		}
		w.restart()
		if got, want := w.folder.parts["key"], (state{testURL, `"v1"`, -1, syncBytes}); got != want {
			t.Errorf("on record %+v, want %+v", got, want)
		}
	})
}

func TestFetchRefusesItsInput(t *testing.T) {
	inBubble(t, http.NotFound, func(t *testing.T, w *web) {
		for url, name := range map[string]string{testURL: "../x", "ftp://h/x": "x", "http://u@h/": "x", "": "x", "http://h/": ""} {
			if _, err := w.folder.Fetch(t.Context(), url, name, nil); !errors.Is(err, shoal.ErrInvalid) {
				t.Errorf("%s as %q: %v", url, name, err)
			}
		}
		if requests, _ := w.seen(); len(requests) > 0 {
			t.Errorf("requests %q", requests)
		}
	})
}

// What the client will not reach is not tried again.
func TestRefusedByTheClient(t *testing.T) {
	inBubble(t, http.NotFound, func(t *testing.T, w *web) {
		tries := 0
		w.client = &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) {
			tries++
			return nil, fmt.Errorf("address 127.0.0.1: %w: not public", shoal.ErrInvalid)
		})}
		w.restart()
		_, _, err := w.fetch()
		if !errors.Is(err, ErrRefused) || !errors.Is(err, shoal.ErrInvalid) || tries != 1 {
			t.Errorf("%d tries: %v", tries, err)
		}
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A process that ends in the middle costs nothing that was durable.
func TestContinuesAfterARestart(t *testing.T) {
	data := noise(1, size)
	hang := true
	inBubble(t, func(w http.ResponseWriter, r *http.Request) {
		if hang {
			w.Header().Set("ETag", `"v1"`)
			w.Header().Set("Content-Length", fmt.Sprint(size))
			_, _ = w.Write(data[:700_000])
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
			return
		}
		file(w, r, `"v1"`, data)
	}, func(t *testing.T, w *web) {
		ctx, cancel := context.WithCancelCause(t.Context())
		why := errors.New("interrupted")
		var seen Progress
		time.AfterFunc(time.Second, func() { cancel(why) })
		begun := time.Now()
		_, err := w.folder.Fetch(ctx, testURL, "film.bin", func(p Progress) { seen = p })
		if !errors.Is(err, why) || time.Since(begun) != time.Second {
			t.Errorf("after %v: %v", time.Since(begun), err)
		}
		if seen.Total != size || seen.Done == 0 {
			t.Errorf("progress %+v", seen)
		}
		w.restart()
		w.forget()
		hang = false
		w.mustFetch(data)
		if requests, served := w.seen(); !slices.Equal(requests, []string{`bytes=700000- "v1"`}) || served != 300_000 {
			t.Errorf("went on with %q, %d bytes", requests, served)
		}
	})
}

// Bytes that are not known to be durable, such as a power cut may leave, are
// fetched again; so is all where the record is of another file.
func TestDoubtfulParts(t *testing.T) {
	data := noise(1, size)
	key := keyOf(testURL)
	for name, c := range map[string]struct {
		damage func(t *testing.T, w *web)
		want   string
	}{
		"torn beyond what is durable": {func(t *testing.T, w *web) {
			part := append(slices.Clone(data[:500_000]), make([]byte, 99)...)
			writePart(t, w, part, state{URL: testURL, Validator: `"v1"`, Total: size, Durable: 500_000})
		}, `bytes=500000- "v1"`},
		"shorter than the record says": {func(t *testing.T, w *web) {
			writePart(t, w, data[:10], state{URL: testURL, Validator: `"v1"`, Total: size, Durable: 500_000})
		}, "bytes=0-"},
		"the record of another URL": {func(t *testing.T, w *web) {
			writePart(t, w, data[:10], state{URL: "http://h/other", Validator: `"v1"`, Total: size, Durable: 10})
		}, "bytes=0-"},
		"no record": {func(t *testing.T, w *web) {
			writePart(t, w, data[:10], state{})
			if err := w.folder.states.Delete(key); err != nil {
				t.Fatal(err)
			}
		}, "bytes=0-"},
		"complete": {func(t *testing.T, w *web) {
			writePart(t, w, data, state{URL: testURL, Validator: `"v1"`, Total: size, Durable: size})
		}, fmt.Sprintf(`bytes=%d- "v1"`, size-1)},
		"complete, and changed since": {func(t *testing.T, w *web) {
			writePart(t, w, data, state{URL: testURL, Validator: `"v0"`, Total: size, Durable: size})
		}, fmt.Sprintf(`bytes=%d- "v0"`, size-1)},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(w http.ResponseWriter, r *http.Request) { file(w, r, `"v1"`, data) }, func(t *testing.T, w *web) {
				c.damage(t, w)
				w.restart()
				w.mustFetch(data)
				if requests, _ := w.seen(); !slices.Equal(requests, []string{c.want}) {
					t.Errorf("requests %q, want %q", requests, c.want)
				}
			})
		})
	}
}

func writePart(t *testing.T, w *web, data []byte, st state) {
	t.Helper()
	key := keyOf(testURL)
	err := w.folder.root.WriteFile(partsDir+"/"+key+partExt, data, 0o600)
	if err := errors.Join(err, w.folder.states.Put(key, st)); err != nil {
		t.Fatal(err)
	}
}

// A file that was not kept, since no tracker answered, is not transferred twice.
func TestNotKept(t *testing.T) {
	data := noise(1, size)
	inBubble(t, func(w http.ResponseWriter, r *http.Request) { file(w, r, `"v1"`, data) }, func(t *testing.T, w *web) {
		f, err := w.folder.Fetch(t.Context(), testURL, "film.bin", nil)
		if err != nil || !f.Ranges() {
			t.Fatalf("%+v, %v", f, err)
		}
		if _, err := w.folder.Fetch(t.Context(), testURL, "film.bin", nil); !errors.Is(err, shoal.ErrConflict) {
			t.Errorf("fetched twice at a time: %v", err)
		}
		if err := errors.Join(f.Close(), f.Close()); err != nil {
			t.Fatal(err)
		}
		w.restart()
		w.forget()
		w.mustFetch(data)
		if _, served := w.seen(); served != 1 {
			t.Errorf("%d bytes transferred again", served)
		}
	})
}

func TestSweep(t *testing.T) {
	data := noise(1, size)
	inBubble(t, func(w http.ResponseWriter, r *http.Request) { file(w, r, `"v1"`, data) }, func(t *testing.T, w *web) {
		f, err := w.folder.Fetch(t.Context(), testURL, "film.bin", nil)
		if err != nil {
			t.Fatal(err)
		}
		path, err := f.Keep()
		if err != nil {
			t.Fatal(err)
		}
		there := func(want bool, when string, used bool) {
			t.Helper()
			if err := w.folder.Sweep(func(id shoal.ContentID) bool { return used && id == f.Manifest().ID() }); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(path); (err == nil) != want {
				t.Errorf("%s: %v", when, err)
			}
		}
		there(true, "while it is being seeded", false)
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		there(true, "while it is used", true)
		there(false, "when it is not used", false)

		writePart(t, w, data[:10], state{URL: testURL, Validator: `"v1"`, Total: size, Durable: 10})
		for _, c := range []struct {
			age  time.Duration
			left int
		}{{keepParts - time.Hour, 2}, {keepParts + time.Hour, 0}} {
			at := time.Now().Add(-c.age)
			if err := w.folder.root.Chtimes(partsDir+"/"+keyOf(testURL)+partExt, at, at); err != nil {
				t.Fatal(err)
			}
			there(false, "a part", false)
			if left := w.left(); len(left) != c.left {
				t.Errorf("after %v: %v", c.age, left)
			}
		}
	})
}
