package shoal

import (
	"fmt"
	"path"
	"strings"

	"github.com/anacrolix/torrent/bencode"
)

// newManifest describes files whose pieces have the given hashes. The caller
// has laid the files out: they are in the order of a file tree and know their
// first pieces.
func newManifest(name string, pieceLength int, files []File, hashes [][32]byte) (*Manifest, error) {
	info, err := encodeInfo(name, pieceLength, files, hashes)
	if err != nil {
		return nil, err
	}
	// Reading it back puts what was built under the rules of what is accepted.
	m, err := decodeInfo(info)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	m.hashes = hashes
	m.dedupLayers()
	if err := m.checkTorrentSize(); err != nil {
		return nil, err
	}
	return m, nil
}

// encodeInfo is the info dictionary as libtorrent writes it for BitTorrent v2.
func encodeInfo(name string, pieceLength int, files []File, hashes [][32]byte) ([]byte, error) {
	tree := map[string]any{}
	for _, f := range files {
		folder := tree
		dir, name := path.Split(f.Path)
		for c := range strings.SplitSeq(strings.TrimSuffix(dir, "/"), "/") {
			if c == "" {
				continue
			}
			sub, ok := folder[c].(map[string]any)
			if !ok {
				sub = map[string]any{}
				folder[c] = sub
			}
			folder = sub
		}
		folder[name] = map[string]any{"": f.properties(pieceLength, hashes)}
	}
	return bencode.Marshal(map[string]any{
		"file tree":    tree,
		"meta version": 2,
		"name":         name,
		"piece length": pieceLength,
	})
}

func (f File) properties(pieceLength int, hashes [][32]byte) map[string]any {
	p := map[string]any{"length": f.Length}
	if f.Executable {
		p["attr"] = "x"
	}
	switch n := int(ceilDiv(f.Length, int64(pieceLength))); n {
	case 0:
	case 1:
		p["pieces root"] = hashes[f.FirstPiece][:]
	default:
		root := layerRoot(hashes[f.FirstPiece:f.FirstPiece+n], pieceLength)
		p["pieces root"] = root[:]
	}
	return p
}
