package shoal

import (
	"crypto/sha256"
	"math/bits"
)

// blockSize is the leaf size of the hash tree (BEP 52).
const blockSize = 16 << 10

// maxTreeHeight is that of the largest file: MaxPieces of maxPieceLength.
const maxTreeHeight = 30

// padHashes holds the roots of trees of each height whose leaves are all
// zero: what BEP 52 fills the tree up with past a file's end.
var padHashes = func() (pads [maxTreeHeight + 1][32]byte) {
	for i := 1; i < len(pads); i++ {
		pads[i] = hashPair(&pads[i-1], &pads[i-1])
	}
	return pads
}()

func hashPair(left, right *[32]byte) [32]byte {
	var pair [64]byte
	copy(pair[:32], left[:])
	copy(pair[32:], right[:])
	return sha256.Sum256(pair[:])
}

// hashTree computes a BEP 52 hash tree's root from nodes of one layer, which
// are added from left to right. It keeps one node a layer and never hashes
// padding. The zero value is an empty tree.
type hashTree struct {
	n     uint                        // nodes added
	peaks [maxTreeHeight + 1][32]byte // peaks[i] is valid where bit i of n is set
}

func (t *hashTree) add(node [32]byte) {
	i := 0
	for ; t.n>>i&1 == 1; i++ {
		node = hashPair(&t.peaks[i], &node)
	}
	t.peaks[i] = node
	t.n++
}

// root is the node that stands height layers above those that were added, of
// which there must be between 1 and 1<<height. Their own layer stands base
// layers above the leaves.
func (t *hashTree) root(height, base int) [32]byte {
	if t.n == 1<<height {
		return t.peaks[height]
	}
	var node [32]byte
	padOnly := true
	for i := range height {
		switch {
		case t.n>>i&1 == 1 && padOnly:
			node, padOnly = hashPair(&t.peaks[i], &padHashes[base+i]), false
		case t.n>>i&1 == 1:
			node = hashPair(&t.peaks[i], &node)
		case !padOnly:
			node = hashPair(&node, &padHashes[base+i])
		}
	}
	return node
}

// treeHeight is that of the smallest tree with n leaves, n ≥ 1.
func treeHeight(n int64) int { return bits.Len64(uint64(n - 1)) }

// blockTreeRoot is the root of a tree of the given height over data's blocks.
func blockTreeRoot(data []byte, height int) [32]byte {
	var t hashTree
	t.addBlocks(data)
	return t.root(height, 0)
}

// addBlocks adds the leaves of data; only the last call may pass a length
// that is no multiple of blockSize.
func (t *hashTree) addBlocks(data []byte) {
	for len(data) > 0 {
		n := min(len(data), blockSize)
		t.add(sha256.Sum256(data[:n]))
		data = data[n:]
	}
}
