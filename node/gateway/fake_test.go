package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/store/storetest"
)

// fake is a library of one content, which is published, held in pieces, or arrives
// as the test wants it to.
type fake struct {
	storetest.Sample
	t         testing.TB
	published bool // File works
	swift     bool // a piece arrives as soon as it is waited for

	mu      sync.Mutex
	have    *shoal.PieceSet
	news    chan struct{} // closed and made anew when a piece arrives
	failure error         // why no more pieces arrive
	lost    int           // reads to fail with ErrNotFound
	asked   []ask
	handles int
}

// ask is a call of Wait.
type ask struct{ first, count int }

// published, held and arriving make contents of which all is here, or nothing yet.
func published(t testing.TB, s storetest.Sample) *fake {
	f := held(t, s)
	f.published = true
	return f
}

func held(t testing.TB, s storetest.Sample) *fake {
	return &fake{Sample: s, t: t, have: shoal.FullPieceSet(s.M.NumPieces()), news: make(chan struct{})}
}

func arriving(t testing.TB, s storetest.Sample) *fake {
	return &fake{Sample: s, t: t, have: shoal.NewPieceSet(s.M.NumPieces()), news: make(chan struct{})}
}

// Open implements [Library].
func (f *fake) Open(_ context.Context, id shoal.ContentID) (Content, error) {
	if id != f.M.ID() {
		return nil, fmt.Errorf("content %s: %w", id.Short(), shoal.ErrNotFound)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.handles++
	return &handle{fake: f}, nil
}

// arrive has a piece arrive.
func (f *fake) arrive(piece int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.have.Add(piece)
	f.tell()
}

// fail ends the arrival.
func (f *fake) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failure = err
	f.tell()
}

func (f *fake) tell() {
	close(f.news)
	f.news = make(chan struct{})
}

// open is the number of handles that were not closed.
func (f *fake) open() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.handles
}

func (f *fake) asks() []ask {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]ask(nil), f.asked...)
}

// bytes is all of a file.
func (f *fake) bytes(index int) []byte {
	f.t.Helper()
	b, err := os.ReadFile(f.Sample.File(index))
	if err != nil {
		f.t.Fatal(err)
	}
	return b
}

// url is the path of a file.
func (f *fake) url(index int) string {
	return prefix + f.M.ID().String() + "/files/" + f.M.Files()[index].Path
}

type handle struct {
	*fake
	closed bool
}

func (h *handle) Manifest() *shoal.Manifest { return h.M }

func (h *handle) Wait(ctx context.Context, first, count int) error {
	h.mu.Lock()
	h.asked = append(h.asked, ask{first, count})
	if h.swift {
		h.have.Add(first)
	}
	h.mu.Unlock()
	for {
		h.mu.Lock()
		here, failure, news := h.have.Has(first), h.failure, h.news
		h.mu.Unlock()
		switch {
		case h.closed:
			return errors.New("waits after Close")
		case here:
			return nil
		case failure != nil:
			return failure
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-news:
		}
	}
}

func (h *handle) ReadAt(p []byte, piece int, off int64) error {
	h.mu.Lock()
	here := h.have.Has(piece)
	if h.lost > 0 {
		h.lost--
		here = false
	}
	h.mu.Unlock()
	if !here || h.closed {
		return fmt.Errorf("piece %d: %w", piece, shoal.ErrNotFound)
	}
	index, start := h.M.Locate(piece)
	f, err := os.Open(h.Sample.File(index))
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.ReadAt(p, start+off)
	return err
}

func (h *handle) File(index int) (*os.File, bool) {
	if !h.published {
		return nil, false
	}
	f, err := os.Open(h.Sample.File(index))
	return f, err == nil
}

func (h *handle) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return errors.New("closed twice")
	}
	h.closed = true
	h.handles--
	return nil
}

// response is what a client gets.
type response struct {
	*http.Response
	body    []byte
	aborted bool // broken off
}

// do has a handler answer a request, without a network.
func do(t *testing.T, h http.Handler, method, url string, header ...string) response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, url, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return serve(t, h, r)
}

func serve(t *testing.T, h http.Handler, r *http.Request) (got response) {
	t.Helper()
	w := httptest.NewRecorder()
	func() {
		defer func() {
			if v := recover(); v == http.ErrAbortHandler {
				got.aborted = true
			} else if v != nil {
				panic(v)
			}
		}()
		h.ServeHTTP(w, r)
	}()
	got.Response = w.Result()
	got.body, _ = io.ReadAll(got.Body)
	return got
}
