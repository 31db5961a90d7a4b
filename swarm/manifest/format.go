package manifest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/swarm/transport"
)

var (
	// errNone is the answer of a peer that does not have the manifest now.
	errNone = errors.New("the peer does not have it")
	// errBusy is why one that may have it hangs up without an answer.
	errBusy = errors.New("the peer is busy")
)

// appendAnswer adds the answer with a manifest to b; nil: it is not here.
func appendAnswer(b []byte, m *shoal.Manifest) ([]byte, error) {
	if m == nil {
		return binary.BigEndian.AppendUint32(b, 0), nil
	}
	bare, err := m.WithWebSeeds(nil)
	if err != nil {
		return nil, err
	}
	torrent := bare.Torrent()
	b = binary.BigEndian.AppendUint32(b, uint32(len(torrent)))
	return append(b, torrent...), nil
}

// readAnswer reads and verifies the manifest of id. The error is errNone, errBusy, of
// kind [shoal.ErrCorrupt] where the answer is not that manifest, or r's. Memory is taken
// as data comes, not as the answer says.
func readAnswer(r io.Reader, id shoal.ContentID) (*shoal.Manifest, error) {
	var head [4]byte
	if n, err := io.ReadFull(r, head[:]); err != nil {
		late, ok := errors.AsType[net.Error](err)
		if n == 0 && !(ok && late.Timeout()) && !errors.Is(err, transport.ErrNotSpoken) {
			return nil, fmt.Errorf("%w: %w", errBusy, err)
		}
		return nil, err
	}
	n := int64(binary.BigEndian.Uint32(head[:]))
	switch {
	case n == 0:
		return nil, errNone
	case n > shoal.MaxTorrentSize:
		return nil, fmt.Errorf("%w: %d bytes", shoal.ErrCorrupt, n)
	}
	var torrent bytes.Buffer
	if _, err := io.CopyN(&torrent, r, n); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	m, err := shoal.DecodeManifest(torrent.Bytes())
	if err != nil {
		return nil, fmt.Errorf("%w: %v", shoal.ErrCorrupt, err)
	}
	if m.ID() != id {
		return nil, fmt.Errorf("%w: it is that of content %s", shoal.ErrCorrupt, m.ID().Short())
	}
	return m.WithWebSeeds(nil)
}
