package shoal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
)

const (
	readSize = 256 << 10 // bytes a worker reads at once, and so its memory
	jobSize  = 16 << 20  // bytes of a file that one worker hashes in a run: whole pieces
)

// job is a run of a file's pieces.
type job struct {
	file   int
	offset int64 // a multiple of the piece length
	length int64
}

// hash fills in b.hashes; the first error stops all workers.
func (b *builder) hash(ctx context.Context, workers int) error {
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	jobs := make(chan job, workers)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			buf := make([]byte, readSize)
			for j := range jobs {
				if err := b.run(ctx, j, buf); err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	b.dispatch(ctx, jobs)
	close(jobs)
	wg.Wait()
	return context.Cause(ctx)
}

func (b *builder) dispatch(ctx context.Context, jobs chan<- job) {
	for i, f := range b.files {
		size := f.info.Size()
		for offset := int64(0); offset == 0 || offset < size; offset += jobSize {
			select {
			case jobs <- job{i, offset, min(jobSize, size-offset)}:
			case <-ctx.Done():
				return
			}
		}
	}
}

// run hashes one job's pieces. The check for a change comes after the read, so
// that work on a file that changes ends soon.
func (b *builder) run(ctx context.Context, j job, buf []byte) error {
	f := b.files[j.file]
	file, err := b.open(f)
	if err != nil {
		return b.fail(f.path, disappeared(err))
	}
	defer file.Close()
	if err := b.hashRange(ctx, file, j, buf); err != nil {
		return b.fail(f.path, err)
	}
	return b.fail(f.path, f.unchanged(file))
}

func (b *builder) hashRange(ctx context.Context, file io.ReaderAt, j job, buf []byte) error {
	pieceLength := int64(b.pieceLength)
	height := pieceHeight(b.files[j.file].info.Size(), b.pieceLength)
	piece := b.firstPiece[j.file] + int(j.offset/pieceLength)
	for end := j.offset + j.length; j.offset < end; piece++ {
		var t hashTree
		for left := min(pieceLength, end-j.offset); left > 0; {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			part := buf[:min(left, int64(len(buf)))]
			if n, err := file.ReadAt(part, j.offset); n < len(part) {
				if errors.Is(err, io.EOF) {
					return fmt.Errorf("%w: ends at byte %d", ErrChanged, j.offset+int64(n))
				}
				return err
			}
			t.addBlocks(part)
			j.offset += int64(len(part))
			left -= int64(len(part))
			b.hashed.Add(int64(len(part)))
		}
		b.hashes[piece] = t.root(height, 0)
	}
	return nil
}
