package shoal

import (
	"fmt"
	"math/bits"
	"slices"
)

// FileHasher makes the [Manifest] of a file from its bytes as they come, in
// one pass, without knowing how many there will be. The manifest is the one
// that [BuildManifest] makes of a file with that name and those bytes which is
// not executable. It needs memory for a block and 32 bytes a piece, and is not
// safe for concurrent use.
//
// The piece length depends on the size, so it is not known before the end: a
// FileHasher starts with the smallest, and each time the size rules that one
// out it joins the pieces in pairs, whose hash follows from theirs.
type FileHasher struct {
	name        string
	size        int64
	pieceLength int        // of hashes; at most what choosePieceLength says of size
	hashes      [][32]byte // of whole pieces
	piece       hashTree   // the whole blocks of the piece that has begun
	block       []byte     // what there is of the block that has begun
}

// NewFileHasher begins with an empty file. A name that no content can have is
// [ErrInvalid].
func NewFileHasher(name string) (*FileHasher, error) {
	if err := checkName(name); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return &FileHasher{name: name, pieceLength: minChosenPieceLength, block: make([]byte, 0, blockSize)}, nil
}

// Reset begins anew, with an empty file of the same name.
func (h *FileHasher) Reset() {
	*h = FileHasher{name: h.name, pieceLength: minChosenPieceLength, hashes: h.hashes[:0], block: h.block[:0]}
}

// Size is the number of bytes written so far.
func (h *FileHasher) Size() int64 { return h.size }

// Write takes the file's next bytes. It fails only where the file gets larger
// than any content can be, with [ErrInvalid] and without taking any of p.
func (h *FileHasher) Write(p []byte) (int, error) {
	const most = int64(MaxPieces) * MaxPieceLength
	if int64(len(p)) > most-h.size {
		return 0, fmt.Errorf("%w: larger than %d bytes", ErrInvalid, most)
	}
	n := len(p)
	h.size += int64(n)
	if len(h.block) > 0 {
		fill := min(blockSize-len(h.block), len(p))
		h.block = append(h.block, p[:fill]...)
		p = p[fill:]
		if len(h.block) < blockSize {
			return n, nil
		}
		h.addBlocks(h.block)
		h.block = h.block[:0]
	}
	whole := len(p) / blockSize * blockSize
	h.addBlocks(p[:whole])
	h.block = append(h.block, p[whole:]...)
	return n, nil
}

// addBlocks takes whole blocks.
func (h *FileHasher) addBlocks(p []byte) {
	for len(p) > 0 {
		part := p[:min(len(p), h.pieceLength-int(h.piece.n)*blockSize)]
		p = p[len(part):]
		h.piece.addBlocks(part)
		if int(h.piece.n)*blockSize < h.pieceLength {
			continue
		}
		h.hashes = append(h.hashes, h.piece.root(heightOf(h.pieceLength), 0))
		h.piece = hashTree{}
		if wanted := singleFilePieceLength(int64(len(h.hashes)) * int64(h.pieceLength)); len(h.hashes)%2 == 0 && h.pieceLength < wanted {
			h.hashes = joinPairs(h.hashes, heightOf(h.pieceLength))
			h.pieceLength *= 2
		}
	}
}

// Manifest describes the file as written so far.
func (h *FileHasher) Manifest() (*Manifest, error) {
	hashes := slices.Clone(h.hashes)
	last := h.piece
	last.addBlocks(h.block)
	if last.n > 0 {
		hashes = append(hashes, last.root(pieceHeight(h.size, h.pieceLength), 0))
	}
	// A file that rules out the smallest piece length is longer than a piece of
	// any, so that its last piece is filled up, as joinPairs does it.
	pieceLength := h.pieceLength
	for wanted := singleFilePieceLength(h.size); pieceLength < wanted; pieceLength *= 2 {
		hashes = joinPairs(hashes, heightOf(pieceLength))
	}
	m, err := newManifest(h.name, pieceLength, []File{{Path: h.name, Length: h.size}}, hashes)
	if err != nil {
		return nil, fmt.Errorf("describe %s: %w", h.name, err)
	}
	return m, nil
}

// joinPairs turns the hashes of pieces, whose trees have the given height, into
// those of pieces twice as long, in place.
func joinPairs(hashes [][32]byte, height int) [][32]byte {
	if len(hashes)%2 == 1 {
		hashes = append(hashes, padHashes[height])
	}
	n := len(hashes) / 2
	for i := range n {
		hashes[i] = hashPair(&hashes[2*i], &hashes[2*i+1])
	}
	return hashes[:n]
}

// heightOf is the height of the hash tree over a whole piece.
func heightOf(pieceLength int) int { return bits.TrailingZeros(uint(pieceLength / blockSize)) }

func singleFilePieceLength(size int64) int {
	return choosePieceLength(size, func(pieceLength int) int64 { return ceilDiv(size, int64(pieceLength)) })
}
