package store_test

import (
	"testing"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/store"
	"github.com/shoal-cdn/shoal/node/store/storetest"
)

const benchPiece = 512 << 10

func benchContent(b *testing.B, d *store.Disk, pieces int) (store.Content, storetest.Sample) {
	b.Helper()
	x := storetest.SampleFile(b, "x", pieces*benchPiece)
	m, err := shoal.BuildManifest(b.Context(), x.Path, shoal.BuildOptions{PieceLength: benchPiece})
	must(b, err)
	x.M = m
	return create(b, d, x, ""), x
}

// BenchmarkWritePiece rewrites the pieces of a 256 MiB file; the background
// sync runs as it does in production.
func BenchmarkWritePiece(b *testing.B) {
	const pieces = 512
	d := openDisk(b, store.Config{})
	c, x := benchContent(b, d, pieces)
	data := x.Piece(b, 0)
	b.SetBytes(benchPiece)
	i := 0
	for b.Loop() {
		if i == pieces {
			b.StopTimer()
			must(b, d.Delete(x.M.ID()))
			c = create(b, d, x, "")
			i = 0
			b.StartTimer()
		}
		must(b, c.WritePiece(i, data))
		i++
	}
}

func BenchmarkReadAt(b *testing.B) {
	for name, open := range map[string]func(d *store.Disk, x storetest.Sample, c store.Content) store.Content{
		"published": func(_ *store.Disk, x storetest.Sample, c store.Content) store.Content {
			storetest.Fill(b, c, x)
			must(b, c.Publish())
			return c
		},
		"in place": func(d *store.Disk, x storetest.Sample, _ store.Content) store.Content {
			must(b, d.Delete(x.M.ID()))
			c, err := d.Seed(x.M, x.Path)
			must(b, err)
			return c
		},
	} {
		b.Run(name, func(b *testing.B) {
			d := openDisk(b, store.Config{})
			c, x := benchContent(b, d, 64)
			c = open(d, x, c)
			b.SetBytes(benchPiece)
			b.RunParallel(func(pb *testing.PB) {
				buf := make([]byte, benchPiece)
				for i := 0; pb.Next(); i = (i + 1) % 64 {
					if err := c.ReadAt(buf, i, 0); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

// BenchmarkSmallFiles takes a folder of 10,000 files of 16 KiB from the first
// piece to Publish.
func BenchmarkSmallFiles(b *testing.B) {
	x := storetest.SampleTree(b, 10_000, 16<<10)
	data := make([][]byte, x.M.NumPieces())
	for i := range data {
		data[i] = x.Piece(b, i)
	}
	b.SetBytes(x.M.Size())
	for b.Loop() {
		d := openDisk(b, store.Config{})
		c := create(b, d, x, "")
		for i, p := range data {
			must(b, c.WritePiece(i, p))
		}
		must(b, c.Publish())
		must(b, d.Close())
	}
}
