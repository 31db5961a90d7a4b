package shoal

import (
	"bytes"
	"fmt"
	"math/bits"
	"slices"
)

// decodeLayers sets the hashes of the pieces of files longer than a piece
// from the bencoded dictionary b, which is nil where the torrent has none.
// Layers that no file asks for are ignored.
func (m *Manifest) decodeLayers(b []byte) error {
	m.sortLayers()
	want := m.layers // what is still to be found
	missing := func() error {
		return fmt.Errorf("none for pieces root %x", want[0].root)
	}
	if b != nil {
		r := &bencodeReader{b: b}
		err := r.dict(func(root []byte) error {
			layer, err := r.str()
			if err != nil || len(want) == 0 {
				return err
			}
			// Both sides are sorted by pieces root.
			switch bytes.Compare(want[0].root[:], root) {
			case -1:
				return missing()
			case 0:
				n := 1
				for n < len(want) && want[n].root == want[0].root {
					n++
				}
				err = m.setLayer(want[:n], layer)
				want = want[n:]
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	if len(want) > 0 {
		return missing()
	}
	m.dedupLayers()
	return nil
}

// setLayer checks layer against the pieces root that all of same have, and
// copies it to each of them.
func (m *Manifest) setLayer(same []pieceLayer, layer []byte) error {
	for _, l := range same {
		if len(layer) != l.n*32 {
			return fmt.Errorf("pieces root %x: %d bytes for %d pieces", l.root, len(layer), l.n)
		}
		for i := range l.n {
			m.hashes[l.first+i] = [32]byte(layer[i*32:])
		}
	}
	first := same[0].first
	if got := layerRoot(m.hashes[first:first+same[0].n], m.pieceLength); got != same[0].root {
		return fmt.Errorf("pieces root %x: the layer hashes to %x", same[0].root, got)
	}
	return nil
}

// layerRoot is the pieces root over the hashes of a file's pieces, two or more.
func layerRoot(hashes [][32]byte, pieceLength int) [32]byte {
	var t hashTree
	for _, h := range hashes {
		t.add(h)
	}
	return t.root(treeHeight(int64(len(hashes))), bits.TrailingZeros(uint(pieceLength/blockSize)))
}

func (m *Manifest) sortLayers() {
	slices.SortFunc(m.layers, func(a, b pieceLayer) int { return bytes.Compare(a.root[:], b.root[:]) })
}

// dedupLayers sorts m.layers and leaves one of those that files of the same
// contents share.
func (m *Manifest) dedupLayers() {
	m.sortLayers()
	m.layers = slices.CompactFunc(m.layers, func(a, b pieceLayer) bool { return a.root == b.root })
}
