package fallback

import (
	"net/http/httptest"
	"testing"
)

// Throughput over HTTP/1.1 on loopback, pieces verified.
func BenchmarkFetch(b *testing.B) {
	c := newContent(b, map[string]int{"file.bin": 256 << 20}, 1<<20)
	server := httptest.NewServer(&origin{c: c})
	defer server.Close()
	b.SetBytes(c.m.Size())
	for b.Loop() {
		f, err := New(Config{
			Manifest: c.m, Pieces: newPieces(c.m), WebSeeds: loopback,
			Upstreams: []Upstream{{Name: "origin", Kind: WebSeed, URL: server.URL + "/f"}},
		})
		if err != nil {
			b.Fatal(err)
		}
		if err := f.Run(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
