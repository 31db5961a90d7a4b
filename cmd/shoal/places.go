package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/shoal-cdn/shoal/netprobe/where"
)

// placesFlags name the files that say where addresses are.
type placesFlags struct {
	places string
	geoip  []string
}

func (f *placesFlags) add(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&f.places, "places", "", "`FILE` (.csv, .yaml) with a carrier, region and site for each of your prefixes")
	fs.StringSliceVar(&f.geoip, "geoip", nil, "MaxMind DB `FILE` of autonomous systems or cities, for what --places lacks; may be repeated")
}

func (f *placesFlags) given() bool { return f.places != "" || len(f.geoip) > 0 }

func (f *placesFlags) open(op string, log *slog.Logger) (*where.Sources, error) {
	s, err := where.Open(where.Config{Places: f.places, GeoIP: f.geoip, Log: log})
	if err != nil {
		return nil, &opError{op: op, cause: err, hint: "docs/operations.md, Places, has the format of --places; --geoip wants a .mmdb file"}
	}
	return s, nil
}

// watch loads changed files anew, and all of them at a SIGHUP, until stop returns.
// Without files a SIGHUP is what it always was.
func (f *placesFlags) watch(ctx context.Context, s *where.Sources) (stop func()) {
	if !f.given() {
		return func() {}
	}
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	ctx, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() { s.Watch(ctx, hup) })
	return func() {
		signal.Stop(hup)
		cancel()
		watching.Wait()
	}
}
