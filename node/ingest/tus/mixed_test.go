package tus

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/ingest/uploads"
)

// inverse is other bytes.
func inverse(data []byte) []byte {
	other := bytes.Clone(data)
	for i := range other {
		other[i] ^= 0xff
	}
	return other
}

// lingering is a PATCH request to a server, which has taken the first half of its body.
type lingering struct {
	rest   func()
	status chan int
}

func (b *bench) linger(dir, url string, data []byte) lingering {
	b.t.Helper()
	body, sender := io.Pipe()
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodPatch, url, body)
	if err != nil {
		b.t.Fatal(err)
	}
	req.ContentLength = int64(len(data))
	for k, v := range map[string]string{"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"} {
		req.Header.Set(k, v)
	}
	l := lingering{status: make(chan int, 1), rest: func() {
		_, _ = sender.Write(data[len(data)/2:])
		_ = sender.Close()
	}}
	go func() {
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			l.status <- 0
			return
		}
		resp.Body.Close()
		l.status <- resp.StatusCode
	}()
	if _, err := sender.Write(data[:len(data)/2]); err != nil {
		b.t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		info, err := os.Stat(filepath.Join(dir, folder, path.Base(url), dataFile))
		if err == nil && info.Size() >= int64(len(data)/2) {
			return l
		}
		if time.Now().After(end) {
			b.t.Fatal("the server does not take the first half")
		}
	}
}

func (b *bench) offset(url string) string {
	return b.call(http.MethodHead, url, nil).Header.Get("Upload-Offset")
}

// Two servers of one folder take different bytes for one upload at the same time: what is not one client's file never becomes
// an upload, and can be sent again (L1, R4).
func TestMixedByServers(t *testing.T) {
	dir := t.TempDir()
	a, b := newBenchIn(t, dir, uploads.Limits{}), newBenchIn(t, dir, uploads.Limits{})
	data := noise(100_000)
	there := a.create(len(data), "Upload-Metadata", meta("filename", "f"))
	here := b.url + Path + path.Base(there)
	old := a.linger(dir, there, inverse(data))
	if got := b.patch(here, 0, data[:60_000]); got != http.StatusNoContent {
		t.Fatalf("at the other server: %d", got)
	}
	old.rest()
	if got := <-old.status; got != http.StatusConflict {
		t.Errorf("the first server, which did not know: %d", got)
	}
	if got := b.offset(here); got != "60000" {
		t.Fatalf("offset %s", got)
	}
	if got := b.patch(here, 60_000, data[60_000:]); got != http.StatusConflict {
		t.Errorf("the last bytes over a mixed file: %d", got)
	}
	if len(a.done)+len(b.done) != 0 {
		t.Fatal("it became an upload")
	}
	if got := a.offset(there); got != "0" {
		t.Fatalf("after that the offset is %s", got)
	}
	if got := a.patch(there, 0, data); got != http.StatusNoContent {
		t.Errorf("all of it again: %d", got)
	}
	a.check("f", data)
}

// A client that went on at another server before the first one noticed loses nothing.
func TestSameBytesByServers(t *testing.T) {
	dir := t.TempDir()
	a, b := newBenchIn(t, dir, uploads.Limits{}), newBenchIn(t, dir, uploads.Limits{})
	data := noise(100_000)
	there := a.create(len(data), "Upload-Metadata", meta("filename", "f"))
	here := b.url + Path + path.Base(there)
	old := a.linger(dir, there, data[:80_000])
	if got := b.patch(here, 0, data[:60_000]); got != http.StatusNoContent {
		t.Fatal(got)
	}
	old.rest()
	if got := <-old.status; got != http.StatusConflict {
		t.Errorf("the first server: %d", got)
	}
	if got := b.patch(here, 60_000, data[60_000:]); got != http.StatusNoContent {
		t.Errorf("the rest: %d", got)
	}
	b.check("f", data)
}

// A part of a parallel upload that holds other bytes than were sent is not joined, and begins anew.
func TestMixedPart(t *testing.T) {
	dir := t.TempDir()
	b := newBenchIn(t, dir, uploads.Limits{})
	data := noise(60_000)
	var parts []string
	for from := 0; from < len(data); from += 30_000 {
		url := b.create(30_000, "Upload-Concat", "partial")
		if got := b.patch(url, 0, data[from:from+30_000]); got != http.StatusNoContent {
			t.Fatal(got)
		}
		parts = append(parts, url)
	}
	if err := os.WriteFile(filepath.Join(dir, folder, path.Base(parts[1]), dataFile), noise(30_000), 0o644); err != nil {
		t.Fatal(err)
	}
	join := func() int {
		return b.call(http.MethodPost, b.url+Path, nil,
			"Upload-Concat", "final;"+strings.Join(parts, " "), "Upload-Metadata", meta("filename", "whole.bin")).StatusCode
	}
	if got := join(); got != http.StatusConflict {
		t.Fatalf("joined: %d", got)
	}
	if first, second := b.offset(parts[0]), b.offset(parts[1]); first != "30000" || second != "0" {
		t.Fatalf("offsets %s and %s", first, second)
	}
	if got := b.patch(parts[1], 0, data[30_000:]); got != http.StatusNoContent {
		t.Fatal(got)
	}
	if got := join(); got != http.StatusCreated {
		t.Fatalf("after the part was sent again: %d", got)
	}
	b.check("whole.bin", data)
}

// What crashes and strangers leave in the file offset is read without harm.
func FuzzDecodeOffset(f *testing.F) {
	good := string(encodeOffset(7, uploads.Sum{}))
	for _, seed := range []string{good, "", "0", "7 ", "-1 " + good[2:], "9223372036854775808 " + good[2:], good[:10], good + "00", "1 " + strconv.Itoa(1<<62)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n, sum, err := decodeOffset(b)
		if err != nil {
			if !errors.Is(err, shoal.ErrCorrupt) {
				t.Errorf("%v", err)
			}
			return
		}
		if m, same, err := decodeOffset(encodeOffset(n, sum)); n < 0 || m != n || same != sum || err != nil {
			t.Errorf("%d %v became %d %v: %v", n, sum, m, same, err)
		}
	})
}
