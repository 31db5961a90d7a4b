package shoal

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of the piece length that [BuildManifest] chooses by itself.
const (
	minChosenPieceLength = 32 << 10
	maxChosenPieceLength = 4 << 20
	wantedPieces         = 2048 // small pieces bring a swarm near its lower bound
)

const progressInterval = 100 * time.Millisecond

// BuildOptions are the choices for [BuildManifest]; the zero value is good.
type BuildOptions struct {
	PieceLength int // bytes, see [Manifest.PieceLength]; 0: the power of two near size/2048, from 32 KiB to 4 MiB
	Workers     int // goroutines that read and hash; 0: GOMAXPROCS
	// Progress, unless nil, is told how many of all bytes are hashed: at most
	// ten times a second and once at the end, always from one goroutine, never
	// after BuildManifest has returned. It must not block for long.
	Progress func(hashed, total int64)
}

// BuildManifest hashes a file or a folder, in memory that does not depend on
// its size but for 32 bytes a piece and the list of files. The content is
// named after the last component of the absolute path.
//
// A folder's regular files are taken with their names byte for byte (Unicode
// is not normalised) and their executable bit (any of 0111); times, owners,
// other permissions and folders without files in them are not. Symlinks inside
// the folder and special files are refused with an error that names them;
// path itself may be a symlink. So is every name [DecodeManifest] refuses, and
// a folder that holds nothing but one file of the folder's own name, which
// BEP 52 cannot express. These errors are of kind [ErrInvalid].
//
// A file whose size, modification time or identity changes between the listing
// and its hashing, or that disappears, is an error of kind [ErrChanged].
func BuildManifest(ctx context.Context, path string, opts BuildOptions) (*Manifest, error) {
	m, err := build(ctx, path, opts)
	if err != nil {
		return nil, fmt.Errorf("hash %s: %w", path, err)
	}
	return m, nil
}

func build(ctx context.Context, path string, opts BuildOptions) (*Manifest, error) {
	src, err := scan(ctx, path)
	if err != nil {
		return nil, err
	}
	defer src.close()
	b := &builder{source: src, pieceLength: opts.PieceLength}
	if b.pieceLength == 0 {
		b.pieceLength = src.choosePieceLength()
	}
	if err := b.layOut(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	stop := b.report(opts.Progress)
	err = b.hash(ctx, opts.Workers)
	stop()
	if err != nil {
		return nil, err
	}
	// A file may have changed after its own last read, while others were hashed.
	if err := src.stillUnchanged(); err != nil {
		return nil, err
	}
	return b.manifest()
}

func (s *source) choosePieceLength() int { return choosePieceLength(s.size, s.numPieces) }

// choosePieceLength is the power of two nearest to size/wantedPieces within
// the bounds, or a larger one if there would be too many pieces, which
// numPieces counts.
func choosePieceLength(size int64, numPieces func(pieceLength int) int64) int {
	n := minChosenPieceLength
	for n < maxChosenPieceLength && size/wantedPieces > int64(n+n/2) {
		n *= 2
	}
	for n < MaxPieceLength && numPieces(n) > MaxPieces {
		n *= 2
	}
	return n
}

func (s *source) numPieces(pieceLength int) (n int64) {
	for _, f := range s.files {
		n += ceilDiv(f.info.Size(), int64(pieceLength))
	}
	return n
}

// builder hashes a source. Workers take jobs and write disjoint parts of
// hashes.
type builder struct {
	*source
	pieceLength int
	firstPiece  []int // of every file
	hashes      [][32]byte
	hashed      atomic.Int64 // bytes
}

func (b *builder) layOut() error {
	if err := checkPieceLength(int64(b.pieceLength)); err != nil {
		return err
	}
	n := b.numPieces(b.pieceLength)
	if n > MaxPieces {
		return fmt.Errorf("%d pieces of %d bytes: more than %d", n, b.pieceLength, MaxPieces)
	}
	b.hashes = make([][32]byte, n)
	b.firstPiece = make([]int, len(b.files))
	next := 0
	for i, f := range b.files {
		b.firstPiece[i] = next
		next += int(ceilDiv(f.info.Size(), int64(b.pieceLength)))
	}
	return nil
}

// report calls progress, which may be nil, until stop is called.
func (b *builder) report(progress func(hashed, total int64)) (stop func()) {
	if progress == nil {
		return func() {}
	}
	quit := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() {
		tick := time.NewTicker(progressInterval)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				progress(b.hashed.Load(), b.size)
			case <-quit:
				progress(b.hashed.Load(), b.size)
				return
			}
		}
	})
	return func() { close(quit); done.Wait() }
}

// manifest is the result, once everything is hashed.
func (b *builder) manifest() (*Manifest, error) {
	files := make([]File, len(b.files))
	for i, f := range b.files {
		files[i] = File{f.path, f.info.Size(), f.info.Mode()&0o111 != 0, b.firstPiece[i]}
	}
	return newManifest(b.name, b.pieceLength, files, b.hashes)
}
