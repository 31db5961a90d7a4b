package tus

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/tus/tusd/v2/pkg/handler"

	"github.com/shoal-cdn/shoal/node/ingest/uploads"
)

// get is an upload as it is now.
func (b *bench) get(id string) *upload {
	b.t.Helper()
	u, err := b.srv.data.GetUpload(b.t.Context(), id)
	if err != nil {
		b.t.Fatal(err)
	}
	return u.(*upload)
}

// write has an upload take bytes, and does not finish it.
func (b *bench) write(id string, offset int, data []byte) {
	b.t.Helper()
	if n, err := b.get(id).WriteChunk(b.t.Context(), int64(offset), bytes.NewReader(data)); err != nil || n != int64(len(data)) {
		b.t.Fatalf("%d bytes written: %v", n, err)
	}
}

// mixed is an upload that has all its bytes, and others than were sent.
func (b *bench) mixed(dir string, data []byte) (id string) {
	b.t.Helper()
	id = path.Base(b.create(len(data), "Upload-Metadata", meta("filename", "f")))
	b.write(id, 0, data)
	if err := os.WriteFile(filepath.Join(dir, folder, id, dataFile), inverse(data), 0o644); err != nil {
		b.t.Fatal(err)
	}
	return id
}

// Of two servers that find an upload mixed the later one leaves alone what was sent again since the first.
func TestMixedFoundTwice(t *testing.T) {
	dir := t.TempDir()
	b := newBenchIn(t, dir, uploads.Limits{})
	data := noise(1000)
	id := b.mixed(dir, data)
	later := b.get(id)
	if err := b.get(id).finish(); !errors.Is(err, uploads.ErrMixed) {
		t.Fatal(err)
	}
	b.write(id, 0, data[:600])
	if err := later.finish(); !errors.Is(err, uploads.ErrMixed) {
		t.Fatal(err)
	}
	if got := b.get(id).info.Offset; got != 600 {
		t.Fatalf("offset %d, want that of the bytes sent again", got)
	}
	b.write(id, 600, data[600:])
	if err := b.get(id).finish(); err != nil {
		t.Fatal(err)
	}
	b.check("f", data)
}

// L1: as long as there is information of an upload no answer is that it is not there, on which clients begin anew.
func TestOffsetOutOfSight(t *testing.T) {
	dir := t.TempDir()
	b := newBenchIn(t, dir, uploads.Limits{})
	url := b.create(1000)
	upload := filepath.Join(dir, folder, path.Base(url))
	b.write(path.Base(url), 0, noise(600))
	hidden, err := filepath.Glob(filepath.Join(upload, offsetPrefix+"*"))
	if err != nil || len(hidden) == 0 {
		t.Fatal(hidden, err)
	}
	move := func(from, to string) {
		t.Helper()
		for _, name := range hidden {
			if err := os.Rename(filepath.Join(from, filepath.Base(name)), filepath.Join(to, filepath.Base(name))); err != nil {
				t.Fatal(err)
			}
		}
	}
	other := t.TempDir()
	move(upload, other)
	if got := b.call(http.MethodHead, url, nil).StatusCode; got != http.StatusInternalServerError {
		t.Errorf("without its offset: %d", got)
	}
	if got := b.patch(url, 0, noise(1000)); got != http.StatusInternalServerError {
		t.Errorf("bytes for it: %d", got)
	}
	move(other, upload)
	if got := b.offset(url); got != "600" {
		t.Errorf("offset %s", got)
	}
	if err := os.Remove(filepath.Join(upload, infoFile)); err != nil {
		t.Fatal(err)
	}
	if got := b.call(http.MethodHead, url, nil).StatusCode; got != http.StatusNotFound {
		t.Errorf("without its information: %d", got)
	}
}

// A folder that another server has removed since it was found (NFS) is looked for again.
func TestVanished(t *testing.T) {
	for err, want := range map[error]bool{
		nil: false, os.ErrNotExist: true, &os.PathError{Op: "read", Path: "offset.1", Err: syscall.ESTALE}: true, syscall.EIO: false,
	} {
		if got := vanished(err); got != want {
			t.Errorf("%v: %v", err, got)
		}
	}
}

// R4: what was mixed, sent again and then not finished is finished later.
func TestResumeAfterMixed(t *testing.T) {
	dir := t.TempDir()
	b := newBenchIn(t, dir, uploads.Limits{})
	data := noise(1000)
	id := b.mixed(dir, data)
	if err := b.srv.Resume(t.Context()); !errors.Is(err, uploads.ErrMixed) {
		t.Fatal(err)
	}
	b.write(id, 0, data)
	if err := b.srv.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.check("f", data)
}

// parts are uploads that have the halves of data.
func (b *bench) parts(data []byte) (urls, ids []string) {
	b.t.Helper()
	half := len(data) / 2
	for _, part := range [][]byte{data[:half], data[half:]} {
		url := b.create(len(part), "Upload-Concat", "partial")
		if got := b.patch(url, 0, part); got != http.StatusNoContent {
			b.t.Fatal(got)
		}
		urls, ids = append(urls, url), append(ids, path.Base(url))
	}
	slices.Sort(ids)
	return urls, ids
}

// left are the uploads in a folder, and what has room reserved.
func left(t *testing.T, dir string) (here, reserved []string) {
	t.Helper()
	for name, list := range map[string]*[]string{folder: &here, ".reserved": &reserved} {
		entries, err := os.ReadDir(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			*list = append(*list, e.Name())
		}
	}
	return here, reserved
}

// A concatenation takes no bytes: one that is mixed is gone, and its parts can be joined again.
func TestMixedConcatenation(t *testing.T) {
	dir := t.TempDir()
	b := newBenchIn(t, dir, uploads.Limits{})
	data := noise(60_000)
	urls, ids := b.parts(data)
	join := func() int {
		return b.call(http.MethodPost, b.url+Path, nil,
			"Upload-Concat", "final;"+strings.Join(urls, " "), "Upload-Metadata", meta("filename", "whole.bin")).StatusCode
	}
	finish := b.srv.data.finish
	b.srv.data.finish = func(context.Context, handler.FileInfo, uploads.Sum) error { return uploads.ErrMixed }
	if got := join(); got != http.StatusConflict {
		t.Fatal(got)
	}
	if here, reserved := left(t, dir); !slices.Equal(here, ids) || !slices.Equal(reserved, ids) {
		t.Fatalf("there are %q, with room for %q, want the parts %q", here, reserved, ids)
	}
	b.srv.data.finish = finish
	if got := join(); got != http.StatusCreated {
		t.Fatalf("again: %d", got)
	}
	b.check("whole.bin", data)
}

// Joining ends with its request and with the process, and waits its turn no longer.
func TestJoiningEnds(t *testing.T) {
	over, end := context.WithCancel(t.Context())
	end()
	for name, c := range map[string]struct {
		request, process context.Context
		busy             bool // others join
	}{
		"request": {over, t.Context(), false},
		"turn":    {over, t.Context(), true},
		"process": {t.Context(), over, true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			b := newBenchIn(t, dir, uploads.Limits{})
			_, ids := b.parts(noise(60_000))
			d := b.srv.data
			d.ctx = c.process
			if c.busy {
				d.joining <- struct{}{}
			}
			whole, err := d.NewUpload(t.Context(), handler.FileInfo{Size: 60_000, IsFinal: true, PartialUploads: ids})
			if err != nil {
				t.Fatal(err)
			}
			if err := whole.(*upload).ConcatUploads(c.request, []handler.Upload{b.get(ids[0]), b.get(ids[1])}); err == nil {
				t.Error("joined")
			}
			if here, reserved := left(t, dir); !slices.Equal(here, ids) || !slices.Equal(reserved, ids) {
				t.Errorf("there are %q, with room for %q, want the parts %q", here, reserved, ids)
			}
		})
	}
}
