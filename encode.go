package shoal

import (
	"path"
	"strings"

	"github.com/anacrolix/torrent/bencode"
)

// encodeInfo is the info dictionary as libtorrent writes it for BitTorrent v2.
func (b *builder) encodeInfo() ([]byte, error) {
	tree := map[string]any{}
	for i, f := range b.files {
		folder := tree
		dir, name := path.Split(f.path)
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
		folder[name] = map[string]any{"": b.properties(i)}
	}
	return bencode.Marshal(map[string]any{
		"file tree":    tree,
		"meta version": 2,
		"name":         b.name,
		"piece length": b.pieceLength,
	})
}

func (b *builder) properties(file int) map[string]any {
	info := b.files[file].info
	p := map[string]any{"length": info.Size()}
	if info.Mode()&0o111 != 0 {
		p["attr"] = "x"
	}
	first := b.firstPiece[file]
	switch n := int(ceilDiv(info.Size(), int64(b.pieceLength))); n {
	case 0:
	case 1:
		p["pieces root"] = b.hashes[first][:]
	default:
		root := layerRoot(b.hashes[first:first+n], b.pieceLength)
		p["pieces root"] = root[:]
	}
	return p
}
