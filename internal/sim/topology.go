package sim

import (
	"cmp"
	"fmt"
	"math/bits"
	"time"

	"github.com/shoal-cdn/shoal"
)

// Bounds on what is simulated.
const (
	maxNodes  = 20_000
	maxGroups = 500
	maxLinks  = 1000
	maxDegree = 1000
	maxTime   = 365 * 24 * time.Hour // of any duration in a topology
	// maxCells bounds nodes × pieces × neighbours, at a bit of memory each
	// and more for each node and piece.
	maxCells = 4 << 30
)

// Topology is a network and what is to be distributed over it.
type Topology struct {
	Size        int64 // bytes of the content, one file
	PieceLength int   // bytes; see [shoal.Manifest.PieceLength]
	Seed        uint64
	// Neighbours is how many peers a node is connected to, about; up to 40 nodes of
	// several carriers are a full mesh. An origin has up to OriginNeighbours.
	Neighbours       int
	OriginNeighbours int
	// Overhead makes control messages, the framing of blocks and acknowledgements
	// take their bytes on the links. Without it data alone does, in full frames.
	Overhead bool
	Delays   Delays
	Origins  []Group // hold the content from the start and show it piece by piece
	Nodes    []Group
	// Links are the lines between carriers. With none, carriers reach each other
	// and only the delay differs; with any, only carriers that have a line do.
	Links []Link
}

// Delays are the one-way delays between two nodes by [shoal.Nearness], besides
// the groups' own.
type Delays struct{ Site, Region, Carrier, Elsewhere time.Duration }

// Group is a number of nodes that are alike.
type Group struct {
	Name  string // of the node, or with a number behind it of each
	Count int
	shoal.Locality
	Up, Down shoal.Rate    // of the line, headers included; 0: unlimited
	Delay    time.Duration // one-way, between the node and everybody else
	Join     time.Duration // after the start
	Spread   time.Duration // the nodes join one by one over this time after Join
	Leave    time.Duration // after it joined; 0: stays
	Holder   bool          // has everything from the start, as after an earlier task
	Fault    Fault
}

// Fault is how a node misbehaves.
type Fault string

const (
	None    Fault = ""
	Corrupt Fault = "corrupt" // every piece it sends is wrong
	Mute    Fault = "mute"    // it never answers a request
)

// Link is a line between two carriers that all their nodes share.
type Link struct {
	A, B  string
	Rate  shoal.Rate    // each way, headers included; 0: unlimited
	Delay time.Duration // one-way; takes the place of [Delays.Elsewhere]
	Until time.Duration // after the start the rate becomes Then; 0: never
	Then  shoal.Rate
}

// Pieces is the number of pieces of the content.
func (t *Topology) Pieces() int {
	return int((t.Size + int64(t.PieceLength) - 1) / int64(t.PieceLength))
}

// mixed reports whether there are several carriers.
func (t *Topology) mixed() bool {
	carrier := ""
	for _, g := range t.all() {
		if carrier != "" && g.Carrier != "" && g.Carrier != carrier {
			return true
		}
		carrier = cmp.Or(carrier, g.Carrier)
	}
	return false
}

// all are the groups, those of the origins first.
func (t *Topology) all() []Group {
	return append(append([]Group(nil), t.Origins...), t.Nodes...)
}

// choosePieceLength is the rule of [shoal.BuildManifest]: the power of two near
// size/2048 from 32 KiB to 4 MiB.
func choosePieceLength(size int64) int {
	n := 32 << 10
	for n < 4<<20 && size/2048 > int64(n+n/2) {
		n *= 2
	}
	for n < shoal.MaxPieceLength && size > int64(n)*shoal.MaxPieces {
		n *= 2
	}
	return n
}

// Check reports what a simulation cannot be made of; the error is of kind
// [shoal.ErrInvalid].
func (t *Topology) Check() error {
	if err := t.check(); err != nil {
		return fmt.Errorf("topology: %w: %w", shoal.ErrInvalid, err)
	}
	return nil
}

func (t *Topology) check() error {
	if t.Size <= 0 {
		return fmt.Errorf("size %d: want at least 1 byte", t.Size)
	}
	if n := t.PieceLength; n < 16<<10 || n > shoal.MaxPieceLength || bits.OnesCount(uint(n)) != 1 {
		return fmt.Errorf("piece_length %d: want a power of two from 16KiB to %s", n, shoal.Size(shoal.MaxPieceLength))
	}
	if t.Size > int64(t.PieceLength)*shoal.MaxPieces {
		return fmt.Errorf("size %d in pieces of %d bytes: more than %d pieces", t.Size, t.PieceLength, shoal.MaxPieces)
	}
	for _, d := range []struct {
		key string
		n   int
	}{{"neighbours", t.Neighbours}, {"origin_neighbours", t.OriginNeighbours}} {
		if d.n < 2 || d.n > maxDegree {
			return fmt.Errorf("%s %d: want 2 to %d", d.key, d.n, maxDegree)
		}
	}
	if err := t.checkGroups(); err != nil {
		return err
	}
	if err := t.checkLinks(); err != nil {
		return err
	}
	for _, d := range []time.Duration{t.Delays.Site, t.Delays.Region, t.Delays.Carrier, t.Delays.Elsewhere} {
		if d < 0 || d > time.Minute {
			return fmt.Errorf("delay %v: want 0s to 1m", d)
		}
	}
	return nil
}

func (t *Topology) checkGroups() error {
	if len(t.Origins) == 0 || len(t.Nodes) == 0 {
		return fmt.Errorf("%d origins and %d groups of nodes: want at least one of each", len(t.Origins), len(t.Nodes))
	}
	if n := len(t.Origins) + len(t.Nodes); n > maxGroups {
		return fmt.Errorf("%d groups: want at most %d", n, maxGroups)
	}
	names := map[string]bool{}
	nodes := 0
	for i, g := range t.all() {
		if err := g.check(); err != nil {
			return fmt.Errorf("group %q: %w", cmp.Or(g.Name, fmt.Sprint(i+1)), err)
		}
		if names[g.Name] {
			return fmt.Errorf("group %q: there are two of that name", g.Name)
		}
		names[g.Name] = true
		nodes += g.Count
	}
	if nodes > maxNodes {
		return fmt.Errorf("%d nodes: want at most %d", nodes, maxNodes)
	}
	if cells := int64(nodes) * int64(t.Pieces()) * int64(min(nodes, t.Neighbours)); cells > maxCells {
		return fmt.Errorf("%d nodes of %d pieces: too many to simulate; make piece_length larger", nodes, t.Pieces())
	}
	return nil
}

func (g *Group) check() error {
	switch {
	case g.Name == "":
		return fmt.Errorf("name is missing")
	case g.Count < 1 || g.Count > maxNodes:
		return fmt.Errorf("count %d: want 1 to %d", g.Count, maxNodes)
	case g.Up < 0 || g.Down < 0:
		return fmt.Errorf("a rate is negative")
	case g.Delay < 0 || g.Delay > time.Minute:
		return fmt.Errorf("delay %v: want 0s to 1m", g.Delay)
	case g.Fault != None && g.Fault != Corrupt && g.Fault != Mute:
		return fmt.Errorf("fault %q: want corrupt or mute", g.Fault)
	}
	for _, d := range []time.Duration{g.Join, g.Spread, g.Leave} {
		if d < 0 || d > maxTime {
			return fmt.Errorf("time %v: want 0s to a year", d)
		}
	}
	return nil
}

// checkLinks also wants a way from some origin to every carrier.
func (t *Topology) checkLinks() error {
	if len(t.Links) == 0 {
		return nil
	}
	if len(t.Links) > maxLinks {
		return fmt.Errorf("%d links: want at most %d", len(t.Links), maxLinks)
	}
	known, reached := map[string]bool{}, map[string]bool{}
	for _, g := range t.all() {
		if g.Carrier == "" {
			return fmt.Errorf("group %q: there are links, so it needs a carrier", g.Name)
		}
		known[g.Carrier] = true
	}
	joined := map[[2]string]bool{}
	for _, l := range t.Links {
		switch {
		case !known[l.A] || !known[l.B] || l.A == l.B:
			return fmt.Errorf("link from %q to %q: want two carriers of groups", l.A, l.B)
		case joined[[2]string{l.A, l.B}]:
			return fmt.Errorf("link from %q to %q: there are two", l.A, l.B)
		case l.Rate < 0 || l.Delay < 0 || l.Delay > time.Minute:
			return fmt.Errorf("link from %q to %q: want a rate, and a delay from 0s to 1m", l.A, l.B)
		case l.Until < 0 || l.Until > maxTime || l.Then < 0 || (l.Then > 0) != (l.Until > 0):
			return fmt.Errorf("link from %q to %q: want until, a time up to a year, and then, a rate, or neither", l.A, l.B)
		}
		joined[[2]string{l.A, l.B}], joined[[2]string{l.B, l.A}] = true, true
	}
	for _, g := range t.Origins {
		reached[g.Carrier] = true
	}
	for range t.Links {
		for _, l := range t.Links {
			if reached[l.A] || reached[l.B] {
				reached[l.A], reached[l.B] = true, true
			}
		}
	}
	for _, g := range t.Nodes {
		if !reached[g.Carrier] {
			return fmt.Errorf("group %q: no link leads from an origin to %q", g.Name, g.Carrier)
		}
	}
	return nil
}
