package netprobe

import (
	"io"
	"math/rand/v2"
	"sync"
	"time"
)

// blockBytes is more than the window of the compressors that tunnels and
// proxies use (deflate 32 KiB, LZ4 64 KiB), so that a block may be repeated.
const blockBytes = 256 << 10

// newBlock makes random bytes. They need to be incompressible, not secret.
func newBlock() []byte {
	b := make([]byte, blockBytes)
	_, _ = rand.NewChaCha8([32]byte{}).Read(b) // cannot fail
	return b
}

// filler is the body of an upload: a block again and again, until it has been
// read for long enough or n bytes were. It is safe for concurrent use: a
// transport may still read when the answer is there.
type filler struct {
	block []byte
	start time.Time
	span  time.Duration

	mu    sync.Mutex // guards the following
	left  int64
	at    int // in block
	meter meter
	ended bool // the reader has been told that this is all
}

func newFiller(block []byte, n int64, span time.Duration) *filler {
	return &filler{block: block, start: time.Now(), span: span, left: n}
}

func (f *filler) Read(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Since(f.start)
	if f.ended = f.ended || f.left <= 0 || now >= f.span; f.ended {
		return 0, io.EOF
	}
	n := copy(p[:min(int64(len(p)), f.left)], f.block[f.at:])
	f.at = (f.at + n) % len(f.block)
	f.left -= int64(n)
	f.meter.add(now, n)
	return n, nil
}

func (f *filler) Close() error { return nil }

// taken is what was read so far, and whether that is all there was.
func (f *filler) taken() (m meter, all bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m = f.meter
	m.points = append([]point(nil), m.points...)
	return m, f.ended
}
