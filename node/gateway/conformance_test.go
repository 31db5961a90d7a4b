package gateway

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/store/storetest"
)

// A file of 3 pieces and a bit; ranges below are about these figures.
const fileSize = 3*storetest.PieceLength + 100

// kinds are the ways in which a content can be here; all of them answer alike.
var kinds = map[string]func(testing.TB, storetest.Sample) *fake{
	"published": published,
	"in pieces": held,
	"arriving": func(t testing.TB, s storetest.Sample) *fake {
		f := arriving(t, s)
		f.swift = true
		return f
	},
}

// forKinds runs a test with each kind of the same content.
func forKinds(t *testing.T, s storetest.Sample, test func(*testing.T, *fake, *Gateway)) {
	for name, make := range kinds {
		t.Run(name, func(t *testing.T) {
			f := make(t, s)
			test(t, f, New(Config{Library: f}))
			if n := f.open(); n != 0 {
				t.Errorf("%d handles left open", n)
			}
		})
	}
}

// Ranges and conditions as of RFC 9110 §13 and §14.
func TestRangesAndConditions(t *testing.T) {
	s := storetest.SampleFile(t, "film.mp4", fileSize)
	tag := etag(s.M, 0)
	size := strconv.Itoa(fileSize)
	whole := []span{{0, fileSize}}
	for _, c := range []struct {
		name   string
		header []string
		status int
		want   []span // of the file; more than one: multipart
	}{
		{"all of it", nil, 200, whole},
		{"the first byte", []string{"Range", "bytes=0-0"}, 206, []span{{0, 1}}},
		{"within a piece", []string{"Range", "bytes=40000-40099"}, 206, []span{{40000, 40100}}},
		{"across pieces", []string{"Range", "bytes=32767-65536"}, 206, []span{{32767, 65537}}},
		{"to the end", []string{"Range", "bytes=98000-"}, 206, []span{{98000, fileSize}}},
		{"the last bytes", []string{"Range", "bytes=-5"}, 206, []span{{fileSize - 5, fileSize}}},
		{"more last bytes than there are", []string{"Range", "bytes=-999999"}, 206, whole},
		{"beyond the end", []string{"Range", "bytes=98400-999999"}, 206, []span{{98400, fileSize}}},
		{"after the end", []string{"Range", "bytes=" + size + "-"}, 416, nil},
		{"no last bytes", []string{"Range", "bytes=-0"}, 416, nil},
		{"backwards", []string{"Range", "bytes=5-4"}, 416, nil},
		{"a sign", []string{"Range", "bytes=+5-9"}, 416, nil},
		{"a negative offset", []string{"Range", "bytes=--5"}, 416, nil},
		{"a number too large", []string{"Range", "bytes=0-99999999999999999999"}, 416, nil},
		{"no range", []string{"Range", "bytes="}, 416, nil},
		{"words", []string{"Range", "bytes=first-last"}, 416, nil},
		{"another unit", []string{"Range", "pieces=0-1"}, 200, whole},
		{"no unit", []string{"Range", "0-1"}, 200, whole},
		{"the unit in capitals", []string{"Range", "Bytes=0-1"}, 206, []span{{0, 2}}},
		{"two ranges", []string{"Range", "bytes=0-9, 50000-50009"}, 206, []span{{0, 10}, {50000, 50010}}},
		{"two backwards", []string{"Range", "bytes=50000-50009,0-9"}, 206, []span{{50000, 50010}, {0, 10}}},
		{"one of two after the end", []string{"Range", "bytes=0-9,999999-"}, 206, []span{{0, 10}}},
		{"as many as are allowed", []string{"Range", manyRanges(maxRanges)}, 206, spansOf(maxRanges)},
		{"too many", []string{"Range", manyRanges(maxRanges + 1)}, 416, nil},
		{"the same twice", []string{"Range", "bytes=0-9,5-14"}, 206, []span{{0, 10}, {5, 15}}},
		{"the same three times", []string{"Range", "bytes=0-9,5-14,9-9"}, 416, nil},
		{"more than all of it", []string{"Range", "bytes=0-,1-"}, 200, whole},
		{"If-Range with the tag", []string{"Range", "bytes=0-9", "If-Range", tag}, 206, []span{{0, 10}}},
		{"If-Range with another tag", []string{"Range", "bytes=0-9", "If-Range", `"x"`}, 200, whole},
		{"If-Range with a weak tag", []string{"Range", "bytes=0-9", "If-Range", "W/" + tag}, 200, whole},
		{"If-Range with a date", []string{"Range", "bytes=0-9", "If-Range", "Wed, 21 Oct 2015 07:28:00 GMT"}, 200, whole},
		{"too many with another tag", []string{"Range", manyRanges(99), "If-Range", `"x"`}, 200, whole},
		{"If-None-Match", []string{"If-None-Match", tag}, 304, nil},
		{"If-None-Match weakly, in a list", []string{"If-None-Match", `"x", W/` + tag}, 304, nil},
		{"If-None-Match with a star", []string{"If-None-Match", "*"}, 304, nil},
		{"If-None-Match with another tag", []string{"If-None-Match", `"x"`}, 200, whole},
		{"If-None-Match before a bad range", []string{"If-None-Match", tag, "Range", "bytes=9-0"}, 304, nil},
		{"If-Match", []string{"If-Match", tag, "Range", "bytes=0-9"}, 206, []span{{0, 10}}},
		{"If-Match weakly", []string{"If-Match", "W/" + tag}, 412, nil},
		{"If-Match with another tag", []string{"If-Match", `"x"`, "Range", "bytes=0-9"}, 412, nil},
		{"If-Modified-Since, which has no date to go by", []string{"If-Modified-Since", "Wed, 21 Oct 2015 07:28:00 GMT"}, 200, whole},
	} {
		t.Run(c.name, func(t *testing.T) {
			forKinds(t, s, func(t *testing.T, f *fake, g *Gateway) {
				got := do(t, g, "GET", f.url(0), c.header...)
				if got.aborted || got.StatusCode != c.status {
					t.Fatalf("status %d, aborted %v; want %d", got.StatusCode, got.aborted, c.status)
				}
				checkBody(t, got, f.bytes(0), c.want)
				checkHeader(t, got, tag)

				// HEAD has the same answer but for the range (RFC 9110 §9.3.2, §14.2).
				if head := do(t, g, "HEAD", f.url(0), c.header...); c.status < 300 && (head.StatusCode != 200 || head.ContentLength != fileSize) {
					t.Errorf("HEAD: status %d, length %d", head.StatusCode, head.ContentLength)
				} else if len(head.body) > 0 && c.status < 400 {
					t.Errorf("HEAD: %d bytes", len(head.body))
				}
			})
		})
	}
}

// manyRanges asks for n bytes here and there, as spansOf has them.
func manyRanges(n int) string {
	var b strings.Builder
	b.WriteString("bytes=")
	for i := range n {
		b.WriteString(strconv.Itoa(i*1000) + "-" + strconv.Itoa(i*1000) + ",")
	}
	return b.String()
}

func spansOf(n int) (s []span) {
	for i := range int64(n) {
		s = append(s, span{i * 1000, i*1000 + 1})
	}
	return s
}

func checkBody(t *testing.T, got response, file []byte, want []span) {
	t.Helper()
	switch {
	case len(want) == 0:
		if got.StatusCode == 304 && len(got.body) > 0 {
			t.Errorf("%d bytes", len(got.body))
		}
	case len(want) == 1:
		if w := file[want[0].start:want[0].end]; !bytes.Equal(got.body, w) || got.ContentLength != int64(len(w)) {
			t.Errorf("%d bytes, said to be %d, want %v", len(got.body), got.ContentLength, want[0])
		}
		if cr := got.Header.Get("Content-Range"); got.StatusCode == 206 && cr != contentRange(want[0]) {
			t.Errorf("Content-Range %q", cr)
		}
	default:
		checkParts(t, got, file, want)
	}
}

func checkParts(t *testing.T, got response, file []byte, want []span) {
	t.Helper()
	kind, params, err := mime.ParseMediaType(got.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/byteranges" || got.ContentLength != int64(len(got.body)) {
		t.Fatalf("type %q, length %d of %d, %v", kind, got.ContentLength, len(got.body), err)
	}
	parts := multipart.NewReader(bytes.NewReader(got.body), params["boundary"])
	for i, w := range want {
		p, err := parts.NextPart()
		if err != nil {
			t.Fatalf("part %d: %v", i, err)
		}
		b, err := io.ReadAll(p)
		if err != nil || !bytes.Equal(b, file[w.start:w.end]) || p.Header.Get("Content-Range") != contentRange(w) || p.Header.Get("Content-Type") != "video/mp4" {
			t.Errorf("part %d: %d bytes, %v, %v", i, len(b), p.Header, err)
		}
	}
	if _, err := parts.NextPart(); err != io.EOF {
		t.Errorf("after the last part: %v", err)
	}
}

func contentRange(s span) string {
	return "bytes " + strconv.FormatInt(s.start, 10) + "-" + strconv.FormatInt(s.end-1, 10) + "/" + strconv.Itoa(fileSize)
}

func checkHeader(t *testing.T, got response, tag string) {
	t.Helper()
	h := got.Header
	if got.StatusCode == 416 && h.Get("Content-Range") != "bytes */"+strconv.Itoa(fileSize) {
		t.Errorf("Content-Range %q", h.Get("Content-Range"))
	}
	if got.StatusCode >= 400 {
		if h.Get("Content-Type") != "application/problem+json" || h.Get("Cache-Control") != "no-store" || h.Get("Etag") != "" {
			t.Errorf("header of a refusal: %v", h)
		}
		return
	}
	if h.Get("Etag") != tag || !strings.Contains(h.Get("Cache-Control"), "immutable") {
		t.Errorf("header: %v", h)
	}
	if got.StatusCode != 304 && (h.Get("Accept-Ranges") != "bytes" || h.Get("X-Content-Type-Options") != "nosniff") {
		t.Errorf("header: %v", h)
	}
}

func TestFolder(t *testing.T) {
	s := storetest.SampleFolder(t, "site")
	forKinds(t, s, func(t *testing.T, f *fake, g *Gateway) {
		tags := map[string]bool{}
		for i, file := range f.M.Files() {
			got := do(t, g, "GET", f.url(i))
			if got.StatusCode != 200 || !bytes.Equal(got.body, f.bytes(i)) {
				t.Errorf("%s: status %d, %d bytes", file.Path, got.StatusCode, len(got.body))
			}
			tags[got.Header.Get("Etag")] = true
			// Some clients ask for a range of everything (RFC 9110 §14.1.2 has no range of an empty file).
			if file.Length == 0 {
				if got := do(t, g, "GET", f.url(i), "Range", "bytes=0-"); got.StatusCode != 200 {
					t.Errorf("%s: range of an empty file: status %d", file.Path, got.StatusCode)
				}
			}
		}
		if len(tags) != len(f.M.Files()) {
			t.Errorf("%d tags for %d files", len(tags), len(f.M.Files()))
		}
	})
}

func TestHeadFetchesNothing(t *testing.T) {
	f := arriving(t, storetest.SampleFolder(t, "site"))
	g := New(Config{Library: f})
	id := prefix + f.M.ID().String()
	for _, c := range []struct{ method, url string }{
		{"HEAD", f.url(1)}, {"HEAD", id + "/files/"}, {"HEAD", id + "/torrent"}, {"GET", id + "/files/"}, {"GET", id + "/torrent"},
	} {
		if got := do(t, g, c.method, c.url); got.StatusCode != 200 || c.method == "HEAD" && len(got.body) > 0 {
			t.Errorf("%s %s: status %d, %d bytes", c.method, c.url, got.StatusCode, len(got.body))
		}
	}
	if asked := f.asks(); len(asked) > 0 || f.open() != 0 {
		t.Errorf("waited for %v; %d handles left open", asked, f.open())
	}
}

// What fails before the first byte has a status, and no word of the reason.
func TestFailureBeforeTheFirstByte(t *testing.T) {
	f := arriving(t, storetest.SampleFile(t, "film.mp4", fileSize))
	f.fail(errors.New("/var/lib/secret: disk full"))
	g := New(Config{Library: f})
	for _, header := range [][]string{nil, {"Range", "bytes=5-9"}, {"Range", "bytes=-9"}} {
		got := do(t, g, "GET", f.url(0), header...)
		if got.StatusCode != http.StatusServiceUnavailable || got.Header.Get("Retry-After") == "" || strings.Contains(string(got.body), "secret") ||
			got.Header.Get("Content-Range") != "" || got.Header.Get("Etag") != "" || got.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%v: status %d, %v, %s", header, got.StatusCode, got.Header, got.body)
		}
	}
	if n := f.open(); n != 0 {
		t.Errorf("%d handles left open", n)
	}
}

// What fails later breaks the transfer off: it must not look complete.
func TestFailureLater(t *testing.T) {
	f := arriving(t, storetest.SampleFile(t, "film.mp4", fileSize))
	f.arrive(0)
	f.fail(shoal.ErrUnavailable)
	g := New(Config{Library: f})
	for _, header := range [][]string{nil, {"Range", "bytes=5-"}, {"Range", "bytes=5-9,70000-70009"}, {"Range", "bytes=70000-70009,5-9"}} {
		if got := do(t, g, "GET", f.url(0), header...); !got.aborted || got.StatusCode >= 400 {
			t.Errorf("%v: status %d, aborted %v", header, got.StatusCode, got.aborted)
		}
	}
}

// A piece may be lost between the wait and the read, as by a failed sync.
func TestLostPiece(t *testing.T) {
	f := held(t, storetest.SampleFile(t, "film.mp4", fileSize))
	g := New(Config{Library: f})
	f.lost = 1
	if got := do(t, g, "GET", f.url(0)); got.aborted || !bytes.Equal(got.body, f.bytes(0)) {
		t.Errorf("lost once: status %d, %d bytes, aborted %v", got.StatusCode, len(got.body), got.aborted)
	}
	f.lost = 1 << 20
	if got := do(t, g, "GET", f.url(0)); got.StatusCode != 503 {
		t.Errorf("lost for good: status %d", got.StatusCode)
	}
}
