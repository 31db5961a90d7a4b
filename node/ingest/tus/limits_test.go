package tus

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal/node/ingest/api"
	"github.com/shoal-cdn/shoal/node/ingest/uploads"
)

// refused is the status of an attempt to create an upload.
func (b *bench) refused(size int, header ...string) int {
	b.t.Helper()
	return b.call(http.MethodPost, b.url+Path, nil, append([]string{"Upload-Length", strconv.Itoa(size)}, header...)...).StatusCode
}

// There is one account for uploads of both protocols.
func TestQuotas(t *testing.T) {
	for name, c := range map[string]struct {
		limits uploads.Limits
		want   int
	}{
		"open":  {uploads.Limits{Open: 2}, http.StatusTooManyRequests},
		"total": {uploads.Limits{Total: 250}, http.StatusInsufficientStorage},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, c.limits)
			post := func() error {
				_, _, err := b.srv.cfg.Store.Create(&api.Description{Task: "t", Name: "f", Size: 100})
				return err
			}
			first, second := b.create(100), b.create(100)
			if got := b.refused(100); got != c.want {
				t.Errorf("third by tus: %d", got)
			}
			if err := post(); !errors.Is(err, uploads.ErrTooMany) && !errors.Is(err, uploads.ErrFull) {
				t.Errorf("third by the other protocol: %v", err)
			}
			if got := b.call(http.MethodDelete, first, nil).StatusCode; got != http.StatusNoContent {
				t.Fatal(got)
			}
			if err := post(); err != nil {
				t.Errorf("after one is gone: %v", err)
			}
			if got := b.refused(100); got != c.want {
				t.Errorf("third by tus: %d", got)
			}
			// One that is complete is not open, and counts among all.
			if got := b.patch(second, 0, noise(100)); got != http.StatusNoContent {
				t.Fatal(got)
			}
			want := http.StatusCreated
			if name == "total" {
				want = c.want
			}
			if got := b.refused(100); got != want {
				t.Errorf("after one is complete: %d, want %d", got, want)
			}
		})
	}
}

// A whole takes the place of its parts, and what is swept counts no more.
func TestQuotaOfParts(t *testing.T) {
	b := newBench(t, uploads.Limits{Total: 250, Open: 2})
	data := noise(200)
	b.concat(data, 100)
	b.check("whole.bin", data)
	b.create(50)
	if got := b.refused(1); got != http.StatusInsufficientStorage {
		t.Errorf("more than there is room for: %d", got)
	}
	if err := b.srv.Sweep(time.Now().Add(2 * time.Hour)); err != nil {
		t.Fatal(err)
	}
	b.create(50)
}

// R4: what the tracker of a finished upload finds after a crash is an upload, or no trace of it.
func TestResume(t *testing.T) {
	data := noise(100_000)
	for name, undo := range map[string]func(dir, id string) error{
		"moved, not recorded": func(dir, id string) error { return os.Remove(filepath.Join(dir, id, "complete.json")) },
		"whole, not moved": func(dir, id string) error {
			return errors.Join(os.Rename(filepath.Join(dir, id, "data", "f"), filepath.Join(dir, folder, id, dataFile)),
				os.RemoveAll(filepath.Join(dir, id)))
		},
		"finished": func(string, string) error { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			b := newBenchIn(t, dir, uploads.Limits{})
			url := b.create(len(data), "Upload-Metadata", meta("filename", "f"))
			if got := b.patch(url, 0, data); got != http.StatusNoContent {
				t.Fatal(got)
			}
			id := path.Base(url)
			if err := undo(dir, id); err != nil {
				t.Fatal(err)
			}
			later := newBenchIn(t, dir, uploads.Limits{})
			for range 2 {
				if err := later.srv.Resume(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			u, err := later.srv.cfg.Store.Get(id)
			if err != nil || !u.Complete() {
				t.Fatalf("not finished: %v", err)
			}
			if got, err := os.ReadFile(u.Path()); err != nil || !bytes.Equal(got, data) {
				t.Errorf("another file: %v", err)
			}
			if err := errors.Join(later.srv.cfg.Store.Delete(id), later.srv.Resume(t.Context())); err != nil {
				t.Error(err)
			}
			if got := later.call(http.MethodHead, later.url+Path+id, nil).StatusCode; got != http.StatusNotFound {
				t.Errorf("after it was deleted: %d", got)
			}
		})
	}
}
