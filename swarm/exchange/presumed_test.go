package exchange

import (
	"testing"
	"time"
)

// A presumed peer is asked for what a reader waits for, and for nothing else, before
// it has said a word. What comes then is counted by what it said of itself.
func TestPresumedPeerIsAskedAtOnce(t *testing.T) {
	for name, tt := range map[string]struct {
		assumed string // the carrier
		greeted PeerGreeted
		want    Bytes
	}{
		"as presumed":        {"", PeerGreeted{"p", true, ""}, Bytes{Origin: piece}},
		"no origin":          {"", PeerGreeted{"p", false, ""}, Bytes{Peers: piece}},
		"in another carrier": {"", PeerGreeted{"p", true, "x"}, Bytes{Origin: piece, Cross: piece}},
		"in a third one":     {"y", PeerGreeted{"p", false, "x"}, Bytes{Peers: piece, Cross: piece}},
		"in our carrier":     {"y", PeerGreeted{"p", true, ""}, Bytes{Origin: piece}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScript(t, 4, piece)
			s.on(PiecesWanted{1, 2, 1})
			s.want(PeerJoined{Peer: "p", Origin: true, Carrier: tt.assumed, Presumed: true},
				SendBitfield{"p", emptySet(4)}, SendRequest{"p", 2, piece})
			if v := s.s.Survey(); v.Useful != 0 || v.Lacking != 4 {
				t.Errorf("nobody knows what it has, yet %+v", v)
			}
			s.want(tt.greeted)
			if far := tt.greeted.Carrier != ""; len(s.s.foreign) > 0 != far || far && s.s.foreign[0].name != tt.greeted.Carrier {
				t.Errorf("%d other carriers", len(s.s.foreign))
			}
			s.want(BlockReceived{"p", 2, 0, piece}, Verify{"p", 2})
			if got := s.s.Bytes(); got != tt.want {
				t.Errorf("%+v, want %+v", got, tt.want)
			}
			s.want(tt.greeted) // only the first counts
		})
	}
}

// One that was no holder rejects, and the piece is asked of another.
func TestPresumedPeerThatLacksThePiece(t *testing.T) {
	s := newScript(t, 4, piece)
	s.on(PiecesWanted{1, 2, 1})
	s.on(PeerJoined{Peer: "p", Origin: true, Presumed: true})
	s.on(PeerJoined{Peer: "o", Origin: true})
	s.want(PeerGreeted{Peer: "p"})
	s.want(RejectReceived{"p", 2}, SendRequest{"o", 2, piece})
	s.on(PeerLeft{"o"})
	s.want(HaveReceived{"p", 2}, SendRequest{"p", 2, piece})
}

// A presumed peer that says nothing keeps a reader waiting for a second. That is no
// fault, and it is asked again when it has greeted us.
func TestSilentPresumedPeer(t *testing.T) {
	s := newScript(t, 4, piece)
	s.on(PeerJoined{Peer: "p", Origin: true, Presumed: true})
	s.want(PiecesWanted{1, 2, 1}, SendRequest{"p", 2, piece})
	s.on(PeerJoined{Peer: "o", Origin: true})
	if got := s.wait(greetPatience - TickInterval); len(got) > 0 {
		t.Errorf("too early:\n%s", describe(got))
	}
	got := s.wait(3 * TickInterval)
	if len(of[SendCancel](got)) != 1 || len(of[SendRequest](got)) != 1 || of[SendRequest](got)[0].Peer != "o" {
		t.Errorf("got\n%s, want the request at the other", describe(got))
	}
	if got := of[ReportFault](s.wait(2 * time.Second)); len(got) > 0 {
		t.Errorf("faults %v", got)
	}
	s.on(PeerLeft{"o"})
	if got := s.s.byID["p"].source.requests; len(got) > 0 {
		t.Errorf("asked again in spite of its silence: %v", got)
	}
	s.want(PeerGreeted{"p", true, ""}, SendRequest{"p", 2, piece})
	if got := of[ReportFault](s.wait(firstPatience - time.Second)); len(got) > 0 {
		t.Errorf("its silence before counts: %v", got)
	}
}
