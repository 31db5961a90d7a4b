//go:build linux

package main

import (
	"fmt"
	"path/filepath"

	"github.com/anacrolix/torrent/bencode"
	"github.com/anacrolix/torrent/metainfo"
	"github.com/shoal-cdn/shoal"
)

// The piece length of .torrent files is the power of two near size/512, which is
// within the range in which the tools did best on thin links, and grows with the
// content so that they need not handle more pieces than they are made for.
const (
	piecesWanted   = 512
	minPieceLength = 64 << 10
	maxPieceLength = 4 << 20
)

func pieceLength(size shoal.Size) shoal.Size {
	n := shoal.Size(minPieceLength)
	for n < maxPieceLength && n*piecesWanted < size {
		n *= 2
	}
	return n
}

// torrent is a content as BitTorrent v1 (BEP 3) describes it, which all tools
// understand.
type torrent struct {
	content  content
	file     []byte // of the .torrent
	infoHash infoHash
}

func makeTorrent(c content, announce string, piece shoal.Size) (torrent, error) {
	if piece == 0 {
		piece = pieceLength(c.size)
	}
	info := metainfo.Info{PieceLength: int64(piece)}
	if err := info.BuildFromFilePath(c.path); err != nil {
		return torrent{}, fmt.Errorf("make torrent of %s: %w", c.name, err)
	}
	encoded, err := bencode.Marshal(&info)
	if err != nil {
		return torrent{}, fmt.Errorf("make torrent of %s: %w", c.name, err)
	}
	m := metainfo.MetaInfo{Announce: announce, InfoBytes: encoded}
	file, err := bencode.Marshal(&m)
	if err != nil {
		return torrent{}, fmt.Errorf("make torrent of %s: %w", c.name, err)
	}
	return torrent{c, file, infoHash(m.HashInfoBytes())}, nil
}

// source is the folder that the original is in: what clients call the torrent's
// download folder.
func (t torrent) source() string { return filepath.Dir(t.content.path) }
