package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// probeWhere explains where an address is: by the files given here, or else as
// the tracker sees it.
func probeWhere(ctx context.Context, a *app, o probeOptions, args []string) error {
	const op = "probe --where"
	if len(args) > 0 {
		return usageError(op, args[0], "--where takes one address, and measures nothing", errors.New("unexpected argument"))
	}
	addr, err := netip.ParseAddr(o.where)
	if err != nil {
		return usageError(op, o.where, "--where wants an IP address, such as 198.18.0.1", errors.New("is no IP address"))
	}
	var w api.Where
	if o.places.given() {
		s, err := o.places.open(op, slog.New(slog.DiscardHandler))
		if err != nil {
			return err
		}
		w = tracker.Explain(s.Explain(shoal.Locality{}, addr))
	} else {
		c, err := trackerClient(op, o.trackers)
		if err != nil {
			return err
		}
		if w, err = c.Where(ctx, addr); err != nil {
			return failed(op, o.where, err)
		}
	}
	if o.asJSON {
		return printJSON(a.stdout, w)
	}
	return whereText(a.stdout, w)
}

func whereText(out io.Writer, w api.Where) error {
	text := placeText(w.Locality)
	if text == "" {
		text = "unknown; nodes there are near those whose addresses begin alike"
	}
	if w.Node != "" {
		text += " (node " + w.Node + ")"
	}
	if _, err := fmt.Fprintf(out, "%s: %s\n\n", w.Addr, printable(text)); err != nil {
		return err
	}
	t := newTable(out, "SOURCE", "FILE", "PREFIX", "CARRIER", "REGION", "SITE", "PROBLEM")
	var known shoal.Locality
	// What an earlier source has said already is in brackets.
	said := func(known *string, part string) string {
		if part != "" && *known != "" {
			return "(" + part + ")"
		}
		*known = cmp.Or(*known, part)
		return part
	}
	for _, s := range w.Steps {
		prefix := ""
		if s.Prefix.IsValid() {
			prefix = s.Prefix.String()
		}
		t.row(s.Source, s.File, prefix, said(&known.Carrier, s.Carrier), said(&known.Region, s.Region), said(&known.Site, s.Site), oneLine(s.Problem))
	}
	return t.flush()
}
