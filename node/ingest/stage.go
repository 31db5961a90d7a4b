package ingest

import (
	"context"
	"hash"
	"io"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/shoal-cdn/shoal/node/ingest/api"
	"github.com/shoal-cdn/shoal/node/ingest/uploads"
)

const (
	memory   = 192 << 20                  // for what comes, in bytes
	checking = 2 * api.MaxUndigestedBytes // for what has come and was not in memory, in bytes
	blocks   = 64 << 10                   // bytes that are read at a time
	firstBuf = 256 << 10                  // bytes that a stage begins with
	patience = 3 * time.Second            // for which what comes may be in memory
)

// stage takes the parts of a request's body in, one after another, until they are verified. A part is in memory while it
// comes fast and there is memory, else in a scratch file: so that however many
// clients send slowly, there is memory for those that don't, and who announces much and sends little holds
// little. It is for one goroutine, which closes it.
type stage struct {
	store  *uploads.Store
	memory *semaphore.Weighted // for what comes
	check  *semaphore.Weighted // for what is read again; held for no longer than that takes

	buf   []byte // the part, where it is in memory; its capacity is held of memory
	n     int64  // bytes of the part that are here
	file  *uploads.Scratch
	block []byte // for what goes to the file
}

func (s *Service) newStage() *stage {
	return &stage{store: s.cfg.Store, memory: s.memory, check: s.checking}
}

// fill takes in the next size bytes of body, and has sum know them.
func (t *stage) fill(body io.Reader, sum hash.Hash, size int64) error {
	t.buf, t.n = t.buf[:0], 0
	t.drop()
	begun := time.Now()
	for t.n < size {
		if t.file == nil && (time.Since(begun) > patience || !t.grow(size)) {
			if err := t.spill(); err != nil {
				return err
			}
		}
		if err := t.take(body, sum, size); err != nil {
			return err
		}
	}
	return nil
}

// take reads once.
func (t *stage) take(body io.Reader, sum hash.Hash, size int64) error {
	into := t.block
	if t.file == nil {
		into = t.buf[t.n:cap(t.buf)]
	}
	n, err := body.Read(into[:min(int64(len(into)), size-t.n, blocks)])
	got := into[:n]
	sum.Write(got)
	t.n += int64(n)
	if t.file == nil {
		t.buf = t.buf[:t.n]
	} else if _, err := t.file.Write(got); err != nil {
		return err
	}
	if err != nil && t.n < size {
		return brokenBody(err)
	}
	return nil
}

// grow makes room for more of a part in memory; false where there is no memory.
func (t *stage) grow(size int64) bool {
	have := int64(cap(t.buf))
	if t.n < have {
		return true
	}
	want := min(max(2*have, firstBuf), size)
	if !t.memory.TryAcquire(want) {
		return false
	}
	bigger := make([]byte, t.n, want)
	copy(bigger, t.buf)
	t.memory.Release(have)
	t.buf = bigger
	return true
}

// spill moves the part to a file, and gives its memory back.
func (t *stage) spill() error {
	file, err := t.store.Scratch()
	if err != nil {
		return err
	}
	t.file = file
	if t.block == nil {
		t.block = make([]byte, blocks)
	}
	_, err = file.Write(t.buf)
	t.free()
	return err
}

// use hands n bytes of the part, from off on, to f, which must not keep them.
func (t *stage) use(ctx context.Context, off, n int64, f func(data []byte) error) error {
	if t.file == nil {
		return f(t.buf[off : off+n])
	}
	if err := acquire(ctx, t.check, n); err != nil {
		return err
	}
	defer t.check.Release(n)
	data := make([]byte, n)
	if err := t.file.ReadAt(data, off); err != nil {
		return err
	}
	return f(data)
}

// free gives the memory back.
func (t *stage) free() {
	t.memory.Release(int64(cap(t.buf)))
	t.buf = nil
}

func (t *stage) drop() {
	if t.file != nil {
		t.file.Close()
		t.file = nil
	}
}

func (t *stage) close() {
	t.free()
	t.drop()
}
