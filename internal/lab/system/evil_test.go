//go:build linux

package system

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/swarm"
	"github.com/shoal-cdn/shoal/swarm/transport"
	"github.com/shoal-cdn/shoal/swarm/wire"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// The environment of a process of this test binary that plays a bad peer.
const (
	evilKind    = "SHOAL_EVIL" // "corrupt" or "mute"
	evilName    = "SHOAL_EVIL_NAME"
	evilListen  = "SHOAL_EVIL_LISTEN"
	evilTracker = "SHOAL_EVIL_TRACKER"
	evilContent = "SHOAL_EVIL_CONTENT"
)

// beEvil joins a content's swarm as one who claims to have all of it.
func beEvil(kind string) error {
	ctx := context.Background()
	id, err := shoal.ParseContentID(os.Getenv(evilContent))
	if err != nil {
		return err
	}
	client, err := tapi.NewClient([]string{os.Getenv(evilTracker)}, nil)
	if err != nil {
		return err
	}
	torrent, err := client.Torrent(ctx, id)
	if err != nil {
		return err
	}
	m, err := shoal.DecodeManifest(torrent)
	if err != nil {
		return err
	}
	key, err := transport.GenerateKey()
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	host, err := transport.New(transport.Config{Key: key, Listen: os.Getenv(evilListen), Log: log})
	if err != nil {
		return err
	}
	defer host.Close()
	switch kind {
	case "corrupt":
		hub := swarm.NewHub(host, swarm.Config{Name: os.Getenv(evilName), Log: log})
		defer hub.Close()
		if _, err := hub.Join(m, garbage{m}, false); err != nil {
			return err
		}
	case "mute":
		host.Handle(wire.Protocol, func(st *transport.Stream) { beMute(st, m, host.ID()) })
	default:
		return errors.New("unknown kind of evil")
	}
	return claim(ctx, client, host, m)
}

// claim tells the tracker again and again that everything is here.
func claim(ctx context.Context, client *tapi.Client, host *transport.Host, m *shoal.Manifest) error {
	for {
		_, err := client.Announce(ctx, tapi.Announce{
			Node:    tapi.NodeInfo{ID: host.ID(), Name: os.Getenv(evilName), Addrs: host.Addrs()},
			Session: "evil", Full: true,
			Holdings: []tapi.Holding{{Content: m.ID(), Role: tapi.Holder, Pieces: shoal.FullPieceSet(m.NumPieces()).Pieces()}},
		})
		if err != nil {
			return err
		}
		fmt.Println("announced")
		time.Sleep(time.Second)
	}
}

// garbage is a store that has all pieces of a content, wrong.
type garbage struct{ m *shoal.Manifest }

func (g garbage) Pieces() *shoal.PieceSet                 { return shoal.FullPieceSet(g.m.NumPieces()) }
func (g garbage) WritePiece(int, []byte) error            { return nil }
func (g garbage) ReadAt(p []byte, _ int, off int64) error { p[0] = byte(off) + 1; return nil }

// beMute says that it has all pieces, and answers no request.
func beMute(st *transport.Stream, m *shoal.Manifest, self shoal.NodeID) {
	defer st.Close()
	r := bufio.NewReader(st)
	if _, err := wire.ReadHandshake(r); err != nil {
		return
	}
	hello, err := wire.EncodeHello(wire.Hello{Name: os.Getenv(evilName)})
	if err != nil {
		return
	}
	b := wire.AppendHandshake(nil, wire.Handshake{Content: m.ID().Truncated(), Peer: wire.PeerID(self)})
	b = wire.AppendExtended(b, wire.ExtHandshake, hello)
	b = wire.AppendSimple(b, wire.HaveAll)
	if _, err := st.Write(b); err != nil {
		return
	}
	messages := wire.NewReader(r, wire.Limits{Pieces: m.NumPieces(), PieceLength: m.PieceLength()})
	for {
		if _, err := messages.Read(); err != nil {
			return
		}
	}
}
