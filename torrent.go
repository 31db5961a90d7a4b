package shoal

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"
)

// MaxTorrentSize bounds a .torrent file in bytes. Half of it is room for the
// piece layers of [MaxPieces] pieces.
const MaxTorrentSize = 64 << 20

// Torrent is the manifest as a .torrent file (BEP 52): the info dictionary,
// the piece layers and, where it has web seeds, the url-list (BEP 19); nothing
// else, and so the same bytes for the same content and web seeds wherever they
// come from.
func (m *Manifest) Torrent() []byte {
	b := make([]byte, 0, m.torrentSize())
	b = append(b, "d4:info"...)
	b = append(b, m.info...)
	b = append(b, "12:piece layersd"...)
	for _, l := range m.layers {
		b = append(b, "32:"...)
		b = append(b, l.root[:]...)
		b = strconv.AppendInt(b, int64(l.n)*32, 10)
		b = append(b, ':')
		for _, h := range m.hashes[l.first : l.first+l.n] {
			b = append(b, h[:]...)
		}
	}
	b = append(b, 'e')
	b = m.appendURLList(b)
	return append(b, 'e')
}

// torrentSize is the length of Torrent's result, or a few bytes more.
func (m *Manifest) torrentSize() int {
	n := len("d4:info12:piece layersdee") + len(m.info)
	for _, l := range m.layers {
		n += len("32:") + 32 + len("33554432:") + 32*l.n
	}
	return n + m.urlListSize()
}

func (m *Manifest) checkTorrentSize() error {
	if n := m.torrentSize(); n > MaxTorrentSize {
		return fmt.Errorf("%w: its torrent would have %d bytes, more than %d", ErrInvalid, n, MaxTorrentSize)
	}
	return nil
}

// DecodeManifest reads a .torrent file (BEP 52, v2 or the v2 side of a
// hybrid), including its piece layers; torrent may be reused afterwards.
//
// It takes nothing on trust: the result's paths cannot leave a folder or
// collide, its sizes do not overflow, and its piece layers hash to what the
// content ID commits to. What it refuses is of kind [ErrInvalid]: also
// symlinks (BEP 47 "l"), pad files in the file tree, names that hold a
// backslash or a control character, and folders without a file in them. Web
// seeds that [CheckWebSeed] refuses, and those beyond [MaxWebSeeds], it drops
// without a word.
func DecodeManifest(torrent []byte) (*Manifest, error) {
	m, err := decodeTorrent(torrent)
	if err != nil {
		return nil, fmt.Errorf("torrent: %w: %w", ErrInvalid, err)
	}
	return m, nil
}

func decodeTorrent(torrent []byte) (*Manifest, error) {
	if len(torrent) > MaxTorrentSize {
		return nil, fmt.Errorf("%d bytes, more than %d", len(torrent), MaxTorrentSize)
	}
	var info, layers, urls []byte
	r := &bencodeReader{b: torrent}
	err := r.dict(func(key []byte) error {
		start := r.pos
		err := r.skip()
		switch string(key) {
		case "info":
			info = torrent[start:r.pos]
		case "piece layers":
			layers = torrent[start:r.pos]
		case "url-list":
			urls = torrent[start:r.pos]
		}
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case r.pos != len(torrent):
		return nil, r.fail(r.pos, "data after the end")
	case info == nil:
		return nil, errors.New("no info dictionary")
	}
	m, err := decodeInfo(info)
	if err != nil {
		return nil, fmt.Errorf("info: %w", err)
	}
	if err := m.decodeLayers(layers); err != nil {
		return nil, fmt.Errorf("piece layers: %w", err)
	}
	m.webSeeds = decodeWebSeeds(urls)
	return m, nil
}

// decodeInfo reads the info dictionary and numbers the pieces. The hashes of
// pieces that need a piece layer stay zero.
func decodeInfo(info []byte) (*Manifest, error) {
	m := &Manifest{id: sha256.Sum256(info), info: bytes.Clone(info)}
	var tree treeDecoder
	var version, pieceLength int64
	r := &bencodeReader{b: m.info}
	err := r.dict(func(key []byte) (err error) {
		switch string(key) {
		case "name":
			var s []byte
			s, err = r.str()
			m.name = string(s)
		case "meta version":
			version, err = r.int()
		case "piece length":
			pieceLength, err = r.int()
		case "file tree":
			tree.r = r
			err = tree.folder("")
		default:
			err = r.skip()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if version != 2 {
		return nil, fmt.Errorf("meta version %d: want 2 (BitTorrent v2)", version)
	}
	if err := checkName(m.name); err != nil {
		return nil, err
	}
	if err := checkPieceLength(pieceLength); err != nil {
		return nil, err
	}
	if len(tree.files) == 0 {
		return nil, errors.New("no file tree")
	}
	m.pieceLength = int(pieceLength)
	m.files = tree.files
	m.folder = len(m.files) != 1 || m.files[0].Path != m.name
	if err := m.numberPieces(tree.roots); err != nil {
		return nil, err
	}
	return m, nil
}

// numberPieces sets the files' FirstPiece, and m's size, hashes and layers
// from the files' lengths and pieces roots.
func (m *Manifest) numberPieces(roots [][32]byte) error {
	var pieces int64
	for i := range m.files {
		f := &m.files[i]
		f.FirstPiece = int(pieces)
		n := ceilDiv(f.Length, int64(m.pieceLength))
		// A content within this bound has at most MaxPieces*MaxPieceLength
		// bytes, so that the sum below cannot overflow.
		if pieces += n; n > MaxPieces || pieces > MaxPieces {
			return fmt.Errorf("more than %d pieces of %d bytes", MaxPieces, m.pieceLength)
		}
		m.size += f.Length
		if n > 1 {
			m.layers = append(m.layers, pieceLayer{roots[i], f.FirstPiece, int(n)})
		}
	}
	m.hashes = make([][32]byte, pieces)
	for i, f := range m.files {
		if f.Length > 0 && f.Length <= int64(m.pieceLength) {
			m.hashes[f.FirstPiece] = roots[i]
		}
	}
	return nil
}
