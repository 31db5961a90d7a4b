package netprobe

import (
	"fmt"

	"github.com/shoal-cdn/shoal"
)

// margin is how much faster the other transport must be to be taken over the
// usual one: single measurements differ that much by chance.
const margin = 1.2

// Recommend says which transport to take between two places, and why, from the
// results of all paths to one gateway (M7). Downloads are compared where both transports
// have one, else uploads. QUIC is usual across carriers, TCP otherwise, since it
// costs less CPU; what was measured overrules that where it differs by more
// than chance. A transport that failed is not taken. It returns "" where none
// works.
func Recommend(local, remote shoal.Locality, results []Result) (Transport, string) {
	usual, other, where := TCP, QUIC, placesText(local, remote)
	if local.CrossCarrier(remote) {
		usual, other = QUIC, TCP
	}
	for _, direction := range []func(Result) Transfer{
		func(r Result) Transfer { return r.Down },
		func(r Result) Transfer { return r.Up },
	} {
		u, o := best(results, usual, direction), best(results, other, direction)
		switch {
		case u.Goodput > 0 && o.Goodput > 0 && float64(o.Goodput) > margin*float64(u.Goodput):
			return other, fmt.Sprintf("%s is %.1f times as fast as %s", other.title(), float64(o.Goodput)/float64(u.Goodput), usual.title())
		case u.Goodput > 0 && o.Goodput > 0:
			return usual, fmt.Sprintf("%s; %s is not much faster", where, other.title())
		case u.Err != nil && o.Goodput > 0:
			return other, usual.title() + " fails to transfer"
		case o.Err != nil && u.Goodput > 0:
			return usual, other.title() + " fails to transfer"
		}
	}
	u, o := state(results, usual), state(results, other)
	switch {
	case u == answers && o == answers:
		return usual, where + "; speed not measured"
	case u == answers && o == fails:
		return usual, other.title() + " fails"
	case u == fails && o == answers:
		return other, usual.title() + " fails"
	case u == answers:
		return usual, "only " + usual.title() + " was measured"
	case o == answers:
		return other, "only " + other.title() + " was measured"
	case u == unmeasured && o == unmeasured:
		return "", "nothing was measured"
	}
	return "", "no answer"
}

func placesText(a, b shoal.Locality) string {
	switch near := a.Nearness(b); {
	case near == shoal.SameSite:
		return "same site"
	case near == shoal.SameRegionAndCarrier:
		return "same carrier and region"
	case near == shoal.SameCarrier:
		return "same carrier"
	case a.CrossCarrier(b):
		return "another carrier"
	}
	return "carriers unknown"
}

// best is the fastest transfer over a transport; without one, a failed one.
func best(results []Result, tr Transport, direction func(Result) Transfer) Transfer {
	var b Transfer
	for _, r := range results {
		if r.Transport != tr {
			continue
		}
		t := direction(r)
		if r.Err != nil {
			t = Transfer{Err: r.Err}
		}
		if t.Goodput > b.Goodput || b.Goodput == 0 && b.Err == nil {
			b = t
		}
	}
	return b
}

// reach is what is known of a transport.
type reach int

const (
	unmeasured reach = iota
	fails
	answers
)

func state(results []Result, tr Transport) reach {
	s := unmeasured
	for _, r := range results {
		switch {
		case r.Transport != tr:
		case r.Err != nil:
			s = max(s, fails)
		default:
			s = answers
		}
	}
	return s
}
