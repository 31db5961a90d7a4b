package transport

import (
	"context"
	"net"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/p2p/net/upgrader"
	p2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
)

// security is libp2p's TLS over a recordConn.
type security struct{ *p2ptls.Transport }

func newTLS(id protocol.ID, key crypto.PrivKey, muxers []upgrader.StreamMuxer) (*security, error) {
	t, err := p2ptls.New(id, key, muxers)
	if err != nil {
		return nil, err
	}
	return &security{t}, nil
}

func (s *security) SecureInbound(ctx context.Context, c net.Conn, p peer.ID) (sec.SecureConn, error) {
	return s.Transport.SecureInbound(ctx, newRecordConn(c), p)
}

func (s *security) SecureOutbound(ctx context.Context, c net.Conn, p peer.ID) (sec.SecureConn, error) {
	return s.Transport.SecureOutbound(ctx, newRecordConn(c), p)
}
