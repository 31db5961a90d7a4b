package manifest

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/swarm/transport"
)

// Bounds on what peers may have of a server.
const (
	maxServed      = 8               // at a time
	maxWaiting     = 64              // for a place
	maxPeerWaiting = 4               // of one peer
	placeTime      = 3 * time.Second // for which one waits; a client waits longer for an answer
	requestTime    = 5 * time.Second
	writeChunk     = 64 << 10         // bytes
	chunkTime      = 10 * time.Second // for each to be taken
	transferTime   = 2 * time.Minute  // for all of them
)

// Server gives manifests to peers. It is safe for concurrent use.
type Server struct {
	known func(shoal.ContentID) *shoal.Manifest
	line  *line
	log   *slog.Logger
}

// Serve answers peers on host until the host is closed. known returns a content's
// manifest, nil where it is not here.
func Serve(host *transport.Host, known func(shoal.ContentID) *shoal.Manifest, log *slog.Logger) *Server {
	s := newServer(known, log)
	host.Handle(Protocol, s.handle)
	return s
}

func newServer(known func(shoal.ContentID) *shoal.Manifest, log *slog.Logger) *Server {
	return &Server{known: known, line: newLine(), log: log}
}

// stream is what is needed of a [transport.Stream].
type stream interface {
	io.ReadWriter
	Peer() shoal.NodeID
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
	Close()
}

func (s *Server) handle(st *transport.Stream) { s.serve(st) }

func (s *Server) serve(st stream) {
	defer st.Close()
	if err := s.answer(st); err != nil && !errors.Is(err, io.EOF) {
		s.log.Debug("could not give a manifest", "peer", st.Peer(), "err", err)
	}
}

func (s *Server) answer(st stream) error {
	_ = st.SetReadDeadline(time.Now().Add(requestTime))
	var id shoal.ContentID
	if _, err := io.ReadFull(st, id[:]); err != nil {
		return err
	}
	m := s.known(id)
	if m != nil {
		ctx, cancel := context.WithTimeout(context.Background(), placeTime)
		defer cancel()
		if !s.line.enter(ctx, st.Peer()) {
			return errBusy // hanging up says so
		}
		defer s.line.leave(st.Peer())
	}
	b, err := appendAnswer(nil, m)
	if err != nil {
		return err
	}
	if err := write(st, b); err != nil {
		return err
	}
	// What was written is dropped with the stream, unless the peer has taken it: it
	// closes when it has.
	_ = st.SetReadDeadline(time.Now().Add(chunkTime))
	_, _ = st.Read(make([]byte, 1))
	return nil
}

// write sends b to a peer that takes it at a fair pace.
func write(st stream, b []byte) error {
	last := time.Now().Add(transferTime)
	for len(b) > 0 {
		deadline := time.Now().Add(chunkTime)
		if deadline.After(last) {
			deadline = last
		}
		_ = st.SetWriteDeadline(deadline)
		n, err := st.Write(b[:min(len(b), writeChunk)])
		if err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}
