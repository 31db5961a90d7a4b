package gateway

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/store/storetest"
)

// Whatever the order in which pieces come, a reader gets the right bytes.
func TestReadDuringArrival(t *testing.T) {
	s := storetest.SampleFile(t, "film.mp4", 40*storetest.PieceLength-7)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for _, header := range [][]string{
		nil,
		{"Range", "bytes=500000-"},
		{"Range", "bytes=40000-1000000"},
		{"Range", "bytes=1000000-1000099,5-70000"},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := arriving(t, s)
			g := New(Config{Library: f})
			order := rand.New(rand.NewPCG(seed, 0)).Perm(s.M.NumPieces())
			var swarm sync.WaitGroup
			defer swarm.Wait()
			swarm.Go(func() {
				for _, piece := range order {
					time.Sleep(10 * time.Millisecond)
					f.arrive(piece)
				}
			})
			got := do(t, g, "GET", f.url(0), header...)
			want := do(t, New(Config{Library: published(t, s)}), "GET", f.url(0), header...)
			if got.aborted || got.StatusCode != want.StatusCode || len(header) == 0 && !bytes.Equal(got.body, f.bytes(0)) ||
				got.Header.Get("Content-Range") != want.Header.Get("Content-Range") || len(got.body) != len(want.body) ||
				!isMultipart(want) && !bytes.Equal(got.body, want.body) {
				t.Errorf("%v: status %d, %d bytes; want %d, %d", header, got.StatusCode, len(got.body), want.StatusCode, len(want.body))
			}
			if isMultipart(want) {
				file := f.bytes(0)
				for _, part := range [][]byte{file[1000000:1000100], file[5:70001]} {
					if !bytes.Contains(got.body, part) {
						t.Errorf("%v: %d bytes are not in the answer", header, len(part))
					}
				}
			}
		})
	}
}

func isMultipart(r response) bool {
	return len(r.Header.Get("Content-Type")) > 20 && r.Header.Get("Content-Type")[:9] == "multipart"
}

// Pieces are asked for ahead of the reader, and none that the range has no use for.
func TestReadAhead(t *testing.T) {
	const pieces = 300
	s := storetest.SampleFile(t, "film.mp4", pieces*storetest.PieceLength)
	most := aheadBytes / storetest.PieceLength
	for _, c := range []struct {
		name   string
		header []string
		want   []ask
	}{
		{"one byte", []string{"Range", "bytes=70000-70000"}, []ask{{2, 1}}},
		{"two pieces", []string{"Range", "bytes=65536-131071"}, []ask{{2, 2}, {3, 1}}},
		{"to the end", []string{"Range", "bytes=-40000"}, []ask{{298, 2}, {299, 1}}},
		{"from the start", nil, []ask{{0, most}, {1, most}, {2, most}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := arriving(t, s)
			f.swift = true
			if got := do(t, New(Config{Library: f}), "GET", f.url(0), c.header...); got.aborted {
				t.Fatal("aborted")
			}
			asked := f.asks()
			if !slices.Equal(asked[:min(len(asked), len(c.want))], c.want) || len(c.want) < 3 && len(asked) > len(c.want) {
				t.Errorf("asked for %v, want %v", asked[:min(len(asked), 5)], c.want)
			}
		})
	}
}

// chunks is what a client sees, and when.
type chunks struct {
	*httptest.ResponseRecorder
	at []time.Time
}

func (c *chunks) Flush() {
	c.at = append(c.at, time.Now())
	c.ResponseRecorder.Flush()
}

// The first byte leaves as soon as its piece is here, though the next never comes;
// and who waits too long is told.
func TestFirstByteAndTheEndOfPatience(t *testing.T) {
	s := storetest.SampleFile(t, "film.mp4", fileSize)
	synctest.Test(t, func(t *testing.T) {
		f := arriving(t, s)
		g := New(Config{Library: f})
		begin := time.Now()
		time.AfterFunc(3*time.Second, func() { f.arrive(0) })
		w := &chunks{ResponseRecorder: httptest.NewRecorder()}
		func() {
			defer func() {
				if v := recover(); v != http.ErrAbortHandler {
					t.Errorf("the transfer ended in good order: %v", v)
				}
			}()
			g.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", f.url(0), nil))
		}()
		if len(w.at) != 1 || w.at[0].Sub(begin) != 3*time.Second || w.Body.Len() != storetest.PieceLength {
			t.Errorf("%d bytes left at %v", w.Body.Len(), w.at)
		}
		if took := time.Since(begin); took != 3*time.Second+waitTime {
			t.Errorf("given up after %v", took)
		}
		if got := do(t, g, "GET", f.url(0), "Range", "bytes=70000-"); got.StatusCode != 503 {
			t.Errorf("status %d", got.StatusCode)
		}
	})
}

// A library that does not answer is not waited for forever.
func TestManifestThatDoesNotCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		g := New(Config{Library: stuck{}})
		got := do(t, g, "GET", prefix+shoal.ContentID{1}.String()+"/files/x")
		if took := time.Since(begin); got.StatusCode != 503 || took != openTime {
			t.Errorf("status %d after %v", got.StatusCode, took)
		}
	})
}

// stuck is a library whose tracker is gone.
type stuck struct{}

func (stuck) Open(ctx context.Context, _ shoal.ContentID) (Content, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// What is published goes to the connection as a file: that is what sendfile takes.
func TestFilesAreSentAsFiles(t *testing.T) {
	f := published(t, storetest.SampleFile(t, "film.mp4", 3*chunkSize))
	g := New(Config{Library: f})
	w := &fileTaker{ResponseRecorder: httptest.NewRecorder()}
	g.ServeHTTP(w, httptest.NewRequest("GET", f.url(0), nil))
	if w.files != 3 || !bytes.Equal(w.Body.Bytes(), f.bytes(0)) {
		t.Errorf("%d calls with a file, %d bytes", w.files, w.Body.Len())
	}
	if got := g.Stats().Bytes; got != 3*chunkSize {
		t.Errorf("%d bytes counted", got)
	}
}

// fileTaker takes note of what net/http would hand to sendfile.
type fileTaker struct {
	*httptest.ResponseRecorder
	files int
}

func (w *fileTaker) ReadFrom(src io.Reader) (int64, error) {
	if lr, ok := src.(*io.LimitedReader); ok {
		if _, ok := lr.R.(interface{ Fd() uintptr }); ok {
			w.files++
		}
	}
	return io.Copy(w.Body, src)
}
