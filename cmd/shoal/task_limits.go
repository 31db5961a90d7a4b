package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// limitFlags say what upstreams may send for a task (B1).
func limitFlags(cmd *cobra.Command, l *api.Limits) {
	fs := cmd.Flags()
	fs.Float64Var(&l.EgressCopies, "egress-copies", 0, "how many `COPIES` web seeds and origins' gateways may send into each carrier (default 1)")
	fs.Var(&l.EgressRate, "egress-rate", "how fast each of them may send, such as 200Mbit (default unlimited)")
	fs.Var(&carrierFlag{l, setCopies}, "carrier-copies", "another number of copies for one carrier, as `CARRIER=COPIES`; several separated by commas, or repeated")
	fs.Var(&carrierFlag{l, setRate}, "carrier-rate", "how fast they may send into one carrier, all together, as `CARRIER=RATE`; likewise")
}

// carrierFlag is a [pflag.Value] that sets a part of one carrier's limits each
// time it is given. A later value for the same carrier replaces an earlier one.
type carrierFlag struct {
	limits *api.Limits
	set    func(l *api.CarrierLimit, value string) error
}

// Set implements [pflag.Value]. Carriers are the operator's words and may have an
// equals sign in them; values have none.
func (f *carrierFlag) Set(s string) error {
	for part := range strings.SplitSeq(s, ",") {
		i := strings.LastIndexByte(part, '=')
		if i < 0 {
			return fmt.Errorf("%q: want CARRIER=VALUE", part)
		}
		carrier := strings.TrimSpace(part[:i])
		if carrier == "" {
			return fmt.Errorf("%q: the carrier's name is empty", part)
		}
		l := f.limits.Carriers[carrier]
		if err := f.set(&l, strings.TrimSpace(part[i+1:])); err != nil {
			return err
		}
		if f.limits.Carriers == nil {
			f.limits.Carriers = make(map[string]api.CarrierLimit)
		}
		f.limits.Carriers[carrier] = l
	}
	return nil
}

// Type implements [pflag.Value].
func (f *carrierFlag) Type() string { return "string" }

// String implements [pflag.Value]; help shows no default.
func (f *carrierFlag) String() string { return "" }

func setCopies(l *api.CarrierLimit, s string) error {
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || !(n > 0) { // NaN neither
		return fmt.Errorf("copies %q: want a number above 0", s)
	}
	l.EgressCopies = n
	return nil
}

func setRate(l *api.CarrierLimit, s string) error {
	var r shoal.Rate
	if err := r.Set(s); err != nil {
		return err
	}
	if r <= 0 {
		return fmt.Errorf("rate %q: want one above 0", s)
	}
	l.EgressRate = r
	return nil
}

// limitsText is "2 copies into each carrier, 50Mbit/s of each origin; AS1: 4
// copies, 20Mbit/s".
func limitsText(l api.Limits) string {
	copies := func(n float64) string {
		if n == 1 {
			return "1 copy"
		}
		return fmt.Sprintf("%g copies", n)
	}
	var all, parts []string
	if l.EgressCopies > 0 {
		all = append(all, copies(l.EgressCopies)+" into each carrier")
	}
	if l.EgressRate > 0 {
		all = append(all, fmt.Sprintf("%v of each origin", l.EgressRate))
	}
	if len(all) > 0 {
		parts = append(parts, strings.Join(all, ", "))
	}
	for _, carrier := range slices.Sorted(maps.Keys(l.Carriers)) {
		var own []string
		if n := l.Carriers[carrier].EgressCopies; n > 0 {
			own = append(own, copies(n))
		}
		if r := l.Carriers[carrier].EgressRate; r > 0 {
			own = append(own, r.String())
		}
		if len(own) > 0 {
			parts = append(parts, printable(carrier)+": "+strings.Join(own, ", "))
		}
	}
	return strings.Join(parts, "; ")
}
