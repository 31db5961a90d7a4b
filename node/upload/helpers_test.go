package upload

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/upload/uploadtest"
)

// randomFile makes a file of n bytes, and its manifest.
func randomFile(t *testing.T, n int) (string, *shoal.Manifest) {
	t.Helper()
	data := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{7}).Read(data)
	path := filepath.Join(t.TempDir(), "file.bin")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path, manifest(t, path)
}

func manifest(t *testing.T, path string) *shoal.Manifest {
	t.Helper()
	m, err := shoal.BuildManifest(t.Context(), path, shoal.BuildOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// serve starts a server behind wrap, which may be nil.
func serve(t *testing.T, s *uploadtest.Server, wrap func(http.Handler) http.Handler) Candidate {
	t.Helper()
	var h http.Handler = s
	if wrap != nil {
		h = wrap(h)
	}
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return Candidate{Name: s.Name, URLs: []string{srv.URL}}
}

func candidates(cs ...Candidate) func(context.Context) ([]Candidate, error) {
	return func(context.Context) ([]Candidate, error) { return cs, nil }
}

// uploaded checks that a server has all of the file.
func uploaded(t *testing.T, s *uploadtest.Server, task, path string) {
	t.Helper()
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got, _, complete := s.Data(task)
	if !complete || !bytes.Equal(got, want) {
		t.Errorf("%s: complete is %t, %d bytes of %d, equal is %t", s.Name, complete, len(got), len(want), bytes.Equal(got, want))
	}
}
