package main

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/spf13/cobra"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/fallback"
	"github.com/shoal-cdn/shoal/node"
)

// webFlags say which web servers a node may read from: web seeds, and URLs that
// it is told to seed.
type webFlags struct{ allow []string }

func (f *webFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringSliceVar(&f.allow, "web-allow", nil, "private `PREFIXES`, such as 10.0.0.0/8, in which web seeds and seeded URLs may be (default only public addresses)")
}

// set puts what the flags say into cfg.
func (f *webFlags) set(op string, cfg *node.Config) error {
	for _, s := range f.allow {
		p, err := netip.ParsePrefix(strings.TrimSpace(s))
		if err != nil {
			return usageError(op, s, "give networks as 10.0.0.0/8, or single addresses as 10.1.2.3/32", fmt.Errorf("--web-allow: %w: no network", shoal.ErrInvalid))
		}
		cfg.WebGuard.Allow = append(cfg.WebGuard.Allow, p)
	}
	cfg.Web = fallback.NewClient(&cfg.WebGuard, nil)
	return nil
}
