package where

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gaissmai/bart"

	"github.com/shoal-cdn/shoal"
)

const (
	maxEntries = 1_000_000
	maxLabel   = 64 // bytes; the protocol's bound of a label
	maxFaults  = 10 // told of one table
)

// Table maps prefixes to places. It never changes, so that it is safe for
// concurrent use.
type Table struct {
	prefixes bart.Table[shoal.Locality]
}

// Len is the number of entries.
func (t *Table) Len() int { return t.prefixes.Size() }

// Lookup returns the entry with the longest prefix that an address is in.
func (t *Table) Lookup(addr netip.Addr) (netip.Prefix, shoal.Locality, bool) {
	addr = addr.Unmap().WithZone("")
	if !addr.IsValid() {
		return netip.Prefix{}, shoal.Locality{}, false
	}
	return t.prefixes.LookupPrefixLPM(netip.PrefixFrom(addr, addr.BitLen()))
}

// entry is one line of a table, as text.
type entry struct {
	line                          int
	prefix, carrier, region, site string
}

// builder makes a table of entries and gathers what is wrong with them.
type builder struct {
	table  *Table
	lines  map[netip.Prefix]int
	faults []error
}

func newBuilder() *builder {
	return &builder{table: new(Table), lines: make(map[netip.Prefix]int)}
}

// add takes an entry in. It returns false where more of them are of no use.
func (b *builder) add(e entry) bool {
	if err := b.insert(e); err != nil {
		b.fault(e.line, err)
	}
	if len(b.lines) >= maxEntries {
		b.fault(e.line, fmt.Errorf("more than %d entries", maxEntries))
		return false
	}
	return len(b.faults) < maxFaults
}

func (b *builder) fault(line int, err error) {
	b.faults = append(b.faults, fmt.Errorf("line %d: %w", line, err))
}

func (b *builder) insert(e entry) error {
	p, err := parsePrefix(e.prefix)
	if err != nil {
		return err
	}
	if first, again := b.lines[p]; again {
		return fmt.Errorf("%s is in line %d already", p, first)
	}
	for _, l := range []string{e.carrier, e.region, e.site} {
		if err := checkLabel(l); err != nil {
			return err
		}
	}
	place := shoal.Locality{Carrier: e.carrier, Region: e.region, Site: e.site}
	if place == (shoal.Locality{}) {
		return fmt.Errorf("%s has neither carrier, region nor site", p)
	}
	b.lines[p] = e.line
	b.table.prefixes.Insert(p, place)
	return nil
}

// done returns the table. Any fault is of kind [shoal.ErrInvalid].
func (b *builder) done() (*Table, error) {
	if len(b.faults) > 0 {
		return nil, fmt.Errorf("%w: %w", shoal.ErrInvalid, errors.Join(b.faults...))
	}
	return b.table, nil
}

// parsePrefix takes a prefix without host bits, or an address.
func parsePrefix(s string) (netip.Prefix, error) {
	if s == "" {
		return netip.Prefix{}, errors.New("no prefix")
	}
	if !strings.Contains(s, "/") {
		a, err := netip.ParseAddr(s)
		if err != nil || a.Zone() != "" || a.Is4In6() {
			return netip.Prefix{}, fmt.Errorf("prefix %.80q: want an IPv4 or IPv6 prefix such as 198.18.0.0/16", s)
		}
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	switch {
	case err != nil || p.Addr().Is4In6():
		return netip.Prefix{}, fmt.Errorf("prefix %.80q: want an IPv4 or IPv6 prefix such as 198.18.0.0/16", s)
	case p != p.Masked():
		return netip.Prefix{}, fmt.Errorf("prefix %s has bits set behind its length: want %s", p, p.Masked())
	}
	return p, nil
}

// checkLabel keeps to what the protocol takes for a label.
func checkLabel(s string) error {
	if len(s) > maxLabel || !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return fmt.Errorf("label %.80q: want at most %d printable bytes", s, maxLabel)
	}
	return nil
}
