package exchange

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
)

func emptySet(n int) *shoal.PieceSet { return shoal.NewPieceSet(n) }

// starts is a set of pieces that begin a file.
func starts(pieces ...int) *shoal.PieceSet {
	s := emptySet(fuzzPieces)
	for _, p := range pieces {
		s.Add(p)
	}
	return s
}

// fuzzer feeds a state with events that are well-formed and otherwise
// arbitrary, as peers may send them, and answers its actions as its owner must.
type fuzzer struct {
	tb      testing.TB
	s       *State
	now     time.Time
	in      []byte
	sending map[shoal.NodeID]bool // SendBlock without BlockSent
	checks  []Verify              // without an answer
	asked   map[shoal.NodeID][]SendRequest
	full    int // times Completed came
	claimed []Claimed
	stores  []StorePiece // without an answer
}

const (
	fuzzPieces = 20
	fuzzLength = 48 << 10 // three blocks
	fuzzInput  = 2000     // bytes, some 500 events: more of them find nothing more, and take long
)

func (f *fuzzer) byte() int {
	if len(f.in) == 0 {
		return 0
	}
	b := f.in[0]
	f.in = f.in[1:]
	return int(b)
}

func (f *fuzzer) set() *shoal.PieceSet {
	s := emptySet(fuzzPieces)
	mask := f.byte() | f.byte()<<8 | f.byte()<<16
	for i := range fuzzPieces {
		if mask>>i&1 != 0 {
			s.Add(i)
		}
	}
	return s
}

func (f *fuzzer) handle(ev Event) {
	for _, a := range f.s.Handle(f.now, ev) {
		switch a := a.(type) {
		case SendBlock:
			if f.sending[a.Peer] {
				f.tb.Fatalf("two blocks at a time for %s", a.Peer)
			}
			if !f.s.Held().Has(a.Piece) || a.Length <= 0 || a.Begin < 0 || a.Begin+a.Length > f.s.cfg.PieceSize(a.Piece) {
				f.tb.Fatalf("%+v", a)
			}
			f.sending[a.Peer] = true
		case SendRequest:
			if a.Length != f.s.cfg.PieceSize(a.Piece) {
				f.tb.Fatalf("%+v", a)
			}
			f.asked[a.Peer] = append(f.asked[a.Peer], a)
		case Verify:
			f.checks = append(f.checks, a)
		case Claimed:
			f.checkClaim(ev.(ClaimAsked), a)
			f.claimed = append(f.claimed, a)
		case StorePiece:
			f.stores = append(f.stores, a)
		case DropPeer:
			f.gone(a.Peer)
		case Completed:
			if f.full++; f.full > 1 || !f.s.Held().Full() {
				f.tb.Fatal("completed twice, or too early")
			}
		}
	}
	checkInvariants(f.tb, f.s)
}

// checkClaim: a run of one file, no longer than asked for, of what is allowed.
func (f *fuzzer) checkClaim(asked ClaimAsked, got Claimed) {
	if got.Count < 1 || got.Count > 1 && int64(got.Count)*fuzzLength > asked.Max {
		f.tb.Fatalf("%+v for %+v", got, asked)
	}
	for i := range got.Count {
		piece := got.First + i
		if asked.Allowed != nil && !asked.Allowed.Has(piece) || i > 0 && f.s.cfg.Starts.Has(piece) {
			f.tb.Fatalf("%+v for %+v: piece %d", got, asked, piece)
		}
	}
}

func (f *fuzzer) gone(p shoal.NodeID) {
	delete(f.sending, p)
	delete(f.asked, p)
}

func (f *fuzzer) step() {
	p := shoal.NodeID(fmt.Sprint("p", f.byte()%5))
	piece := f.byte() % fuzzPieces
	size := f.s.cfg.PieceSize(piece)
	carrier := []string{"x", "", "y"}[piece%3]
	what := f.byte() % 19
	if known := f.s.byID[p]; known != nil && known.presumed && slices.Contains([]int{2, 3, 4, 5, 6, 9, 10, 11}, what) { // it says something
		f.handle(PeerGreeted{Peer: p, Origin: piece%4 == 0, Carrier: carrier})
	}
	switch what {
	case 0:
		f.handle(PeerJoined{Peer: p, Origin: piece%2 == 0, Carrier: carrier, Presumed: piece%5 == 0})
	case 1:
		f.gone(p)
		f.handle(PeerLeft{Peer: p})
	case 2:
		f.handle(HaveReceived{p, piece})
	case 3:
		f.handle(BitfieldReceived{p, f.set()})
	case 4:
		f.handle(RequestReceived{p, piece, 0, size})
	case 5:
		begin := f.byte() * 97
		f.handle(RequestReceived{p, piece, begin, 1 + f.byte()*171})
	case 6:
		f.handle(CancelReceived{p, piece, 0, size})
	case 7:
		if f.sending[p] {
			delete(f.sending, p)
			f.handle(BlockSent{p})
		}
	case 8:
		if f.sending[p] {
			delete(f.sending, p)
			f.handle(ReadFailed{p, piece})
		}
	case 9: // what it was asked for, in order
		for range 1 + f.byte()%3 {
			if r := f.asked[p]; len(r) > 0 {
				size := r[0].Length
				for begin := 0; begin < size; begin += 16 << 10 {
					f.handle(BlockReceived{p, r[0].Piece, begin, min(16<<10, size-begin)})
				}
				if len(f.asked[p]) > 0 {
					f.asked[p] = f.asked[p][1:]
				}
			}
		}
	case 10: // anything
		begin := f.byte() * 193 % size
		f.handle(BlockReceived{p, piece, begin, 1 + f.byte()*191%(size-begin)})
	case 11:
		f.handle(RejectReceived{p, piece})
	case 12:
		if len(f.checks) > 0 {
			v := f.checks[0]
			f.checks = f.checks[1:]
			if f.byte()%4 == 0 {
				f.handle(PieceCorrupt(v))
			} else {
				f.handle(PieceStored{v.Piece})
			}
		}
	case 13:
		ask := ClaimAsked{Max: int64(f.byte()) << 12}
		if piece%2 == 0 {
			ask.Allowed = f.set()
		}
		f.handle(ask)
	case 14: // what was claimed, or anything
		if n := len(f.claimed); n > 0 && f.byte()%4 != 0 {
			piece = f.claimed[n-1].First
		}
		f.handle(PieceDelivered{piece})
	case 15:
		if n := len(f.claimed); n > 0 {
			f.handle(ClaimReleased(f.claimed[n-1]))
			f.claimed = f.claimed[:n-1]
		}
	case 16:
		if len(f.stores) > 0 {
			f.handle(PieceStored(f.stores[0]))
			f.stores = f.stores[1:]
		}
	case 17:
		if reader := uint64(f.byte() % 4); f.byte()%3 == 0 {
			f.handle(ReaderGone{reader})
		} else {
			f.handle(PiecesWanted{reader, piece - 2, f.byte() % 8})
		}
	case 18:
		step, n := time.Duration(f.byte()*f.byte())*time.Millisecond, 1
		if piece%2 == 0 {
			n = 30 // long enough to run out of patience
		}
		for range n {
			f.now = f.now.Add(step)
			f.handle(Tick{})
		}
	}
}

// Whatever peers say in whatever order, nothing panics, the books are right
// after every event, and nothing is left on them when all peers have gone.
func FuzzState(f *testing.F) {
	for seed := range uint64(24) {
		rng := rand.New(rand.NewPCG(seed, 7))
		in := make([]byte, 1500)
		for i := range in {
			in[i] = byte(rng.Uint32())
		}
		f.Add(byte(seed), in)
	}
	f.Fuzz(func(t *testing.T, kind byte, in []byte) {
		held := emptySet(fuzzPieces)
		switch kind % 3 {
		case 1, 2:
			held = shoal.FullPieceSet(fuzzPieces)
		}
		z := &fuzzer{
			tb: t, now: time.Unix(1, 0), in: in[:min(len(in), fuzzInput)], sending: make(map[shoal.NodeID]bool), asked: make(map[shoal.NodeID][]SendRequest),
			s: New(Config{
				Held: held, PieceLength: fuzzLength, Origin: kind%3 == 2, Rand: rand.New(rand.NewPCG(uint64(kind), 0)),
				PieceSize: func(piece int) int {
					if piece == fuzzPieces-1 {
						return 5000
					}
					return fuzzLength
				},
				Starts: starts(0, 7, 8, 15),
			}),
		}
		for len(z.in) > 0 && !t.Failed() {
			z.step()
		}
		for _, v := range z.checks {
			z.handle(PieceStored{v.Piece})
		}
		for _, a := range z.stores {
			z.handle(PieceStored(a))
		}
		for _, c := range z.claimed {
			z.handle(ClaimReleased(c))
		}
		for i := range 5 {
			z.handle(PeerLeft{shoal.NodeID(fmt.Sprint("p", i))})
		}
		if z.s.expected != 0 || z.s.slots != 0 || len(z.s.verifying) != 0 || len(z.s.claims.pieces) != 0 || z.s.Peers() != 0 {
			t.Errorf("left: %d bytes expected, %d slots, %d being verified, %d claimed, %d peers",
				z.s.expected, z.s.slots, len(z.s.verifying), len(z.s.claims.pieces), z.s.Peers())
		}
	})
}
