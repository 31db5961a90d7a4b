package shoal

import (
	"crypto/sha256"
	"encoding/binary"
	"testing"

	"github.com/anacrolix/torrent/merkle"
	"github.com/anacrolix/torrent/metainfo"
)

func testNodes(n int) [][32]byte {
	nodes := make([][32]byte, n)
	for i := range nodes {
		nodes[i] = sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i)))
	}
	return nodes
}

// Against another implementation of BEP 52's trees.
func TestHashTreeRoot(t *testing.T) {
	for n := 1; n <= 130; n++ {
		var tree hashTree
		nodes := testNodes(n)
		for _, h := range nodes {
			tree.add(h)
		}
		height := treeHeight(int64(n))
		if got, want := tree.root(height, 0), merkle.RootWithPadHash(nodes, [32]byte{}); got != want {
			t.Errorf("%d leaves: root %x, want %x", n, got, want)
		}
		// Over pieces of 64 blocks instead of leaves.
		pad := metainfo.HashForPiecePad(64 * blockSize)
		if got, want := tree.root(height, 6), merkle.RootWithPadHash(nodes, pad); got != want {
			t.Errorf("layer of %d pieces: root %x, want %x", n, got, want)
		}
		// Filled up to 256 leaves, as a file's last piece is.
		padded := append(nodes, make([][32]byte, 256-n)...)
		if got, want := tree.root(8, 0), merkle.Root(padded); got != want {
			t.Errorf("%d of 256 leaves: root %x, want %x", n, got, want)
		}
	}
}

func TestTreeHeight(t *testing.T) {
	for n, want := range map[int64]int{1: 0, 2: 1, 3: 2, 4: 2, 5: 3, 1 << 30: 30} {
		if got := treeHeight(n); got != want {
			t.Errorf("treeHeight(%d) = %d, want %d", n, got, want)
		}
	}
}
