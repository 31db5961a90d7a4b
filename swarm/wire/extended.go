package wire

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/anacrolix/torrent/bencode"

	"github.com/shoal-cdn/shoal"
)

// Extension messages' numbers, as this side announces them (BEP 10).
const (
	ExtHandshake byte = 0
	ExtPEX       byte = 1
	// ExtQueued has no body: the sender has requests of the receiver's in its
	// queue. It is sent every second or so while nothing else shows that.
	ExtQueued byte = 2
)

// The names under which they are announced. Peer exchange differs from BEP 11's
// since peers are named by node ID and multiaddrs.
const (
	extPEXName    = "shoal_pex"
	extQueuedName = "shoal_queued"
)

// Bounds on what a peer says of itself and of others.
const (
	maxLabel    = 128 // bytes of a name or a locality's field
	MaxPEXPeers = 50  // peers in one message
	maxAddrs    = 16  // addresses of one peer
	maxAddr     = 256 // bytes of one address
)

// Hello is what the extended handshake says of the sender.
type Hello struct {
	Name     string
	Origin   bool
	Locality shoal.Locality
	// The sender's numbers for extension messages; 0: not understood.
	PEX, Queued byte
}

type helloDict struct {
	M       map[string]int `bencode:"m"`
	Shoal   int            `bencode:"shoal"` // version of the rules in this package's documentation
	Name    string         `bencode:"shoal_name,omitempty"`
	Origin  int            `bencode:"shoal_origin,omitempty"`
	Carrier string         `bencode:"shoal_carrier,omitempty"`
	Region  string         `bencode:"shoal_region,omitempty"`
	Site    string         `bencode:"shoal_site,omitempty"`
}

// EncodeHello returns the body of the extended handshake.
func EncodeHello(h Hello) ([]byte, error) {
	d := helloDict{
		M: map[string]int{extPEXName: int(ExtPEX), extQueuedName: int(ExtQueued)}, Shoal: 1,
		Name: h.Name, Carrier: h.Locality.Carrier, Region: h.Locality.Region, Site: h.Locality.Site,
	}
	if h.Origin {
		d.Origin = 1
	}
	return bencode.Marshal(d)
}

// DecodeHello reads the body of an extended handshake. Unknown keys are
// ignored (BEP 10); the error is of kind [shoal.ErrCorrupt].
func DecodeHello(body []byte) (Hello, error) {
	var d helloDict
	if err := bencode.Unmarshal(body, &d); err != nil {
		return Hello{}, fmt.Errorf("extended handshake: %w: %v", shoal.ErrCorrupt, err)
	}
	if d.Shoal != 1 {
		return Hello{}, fmt.Errorf("extended handshake: %w: version %d of the shoal rules, want 1", shoal.ErrCorrupt, d.Shoal)
	}
	for _, s := range []string{d.Name, d.Carrier, d.Region, d.Site} {
		if len(s) > maxLabel {
			return Hello{}, fmt.Errorf("extended handshake: %w: label of %d bytes", shoal.ErrCorrupt, len(s))
		}
		// It ends up on operators' terminals.
		if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
			return Hello{}, fmt.Errorf("extended handshake: %w: label %q", shoal.ErrCorrupt, s)
		}
	}
	h := Hello{
		Name: d.Name, Origin: d.Origin == 1,
		Locality: shoal.Locality{Carrier: d.Carrier, Region: d.Region, Site: d.Site},
	}
	h.PEX, h.Queued = extNumber(d.M[extPEXName]), extNumber(d.M[extQueuedName])
	return h, nil
}

// extNumber is a number that fits an extension message, or 0.
func extNumber(n int) byte {
	if n < 0 || n > 255 {
		return 0
	}
	return byte(n)
}

// PEXPeer is a peer named in peer exchange.
type PEXPeer struct {
	ID    string   `bencode:"id"`
	Addrs []string `bencode:"addrs"`
}

type pexDict struct {
	Added []PEXPeer `bencode:"added"`
}

// EncodePEX returns the body of a peer exchange message. It leaves out what
// [DecodePEX] would refuse, and the last peers where all don't fit.
func EncodePEX(peers []PEXPeer) ([]byte, error) {
	var d pexDict
	room := maxExtended - len("d5:addedlee")
	for _, p := range peers[:min(len(peers), MaxPEXPeers)] {
		p.Addrs = slices.DeleteFunc(slices.Clone(p.Addrs), func(a string) bool { return len(a) > maxAddr })
		p.Addrs = p.Addrs[:min(len(p.Addrs), maxAddrs)]
		b, err := bencode.Marshal(p)
		if err != nil {
			return nil, err
		}
		if room -= len(b); room < 0 {
			break
		}
		d.Added = append(d.Added, p)
	}
	return bencode.Marshal(d)
}

// DecodePEX reads the body of a peer exchange message. The addresses are not
// parsed. The error is of kind [shoal.ErrCorrupt].
func DecodePEX(body []byte) ([]PEXPeer, error) {
	var d pexDict
	if err := bencode.Unmarshal(body, &d); err != nil {
		return nil, fmt.Errorf("peer exchange: %w: %v", shoal.ErrCorrupt, err)
	}
	if len(d.Added) > MaxPEXPeers {
		return nil, fmt.Errorf("peer exchange: %w: %d peers", shoal.ErrCorrupt, len(d.Added))
	}
	for _, p := range d.Added {
		if _, err := shoal.ParseNodeID(p.ID); err != nil {
			return nil, fmt.Errorf("peer exchange: %w: %v", shoal.ErrCorrupt, err)
		}
		if len(p.Addrs) > maxAddrs {
			return nil, fmt.Errorf("peer exchange: %w: %d addresses", shoal.ErrCorrupt, len(p.Addrs))
		}
		for _, a := range p.Addrs {
			if len(a) > maxAddr {
				return nil, fmt.Errorf("peer exchange: %w: address of %d bytes", shoal.ErrCorrupt, len(a))
			}
		}
	}
	return d.Added, nil
}
