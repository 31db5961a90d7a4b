//go:build linux

package main

import (
	"context"
	"fmt"

	"github.com/shoal-cdn/shoal"
)

// coldRate is the nodes' rate in cold starts where no other is asked for.
const coldRate = 2 * mbit

// coldDesigns are those in which nobody has the content but a web server, which sends ten
// times as fast as a node.
func coldDesigns(rate shoal.Rate) []design {
	about := fmt.Sprintf("60 nodes, %d Mbit/s each way, and a web server of %d Mbit/s as the only source", rate/mbit, 10*rate/mbit)
	const size = 8 << 20
	return []design{
		{"coldstart60", about + "; any other rate works as well (coldstart60@1)", size, func(shoal.Size) scenario {
			s := cold(60, rate)
			s.tools = []string{"shoal", "http"}
			return s
		}},
		{"coldstart60-nolease", about + ", which all may read at once", size, func(shoal.Size) scenario {
			s := cold(60, rate)
			s.noLeases, s.tools = true, []string{"shoal"}
			return s
		}},
	}
}

func cold(n int, rate shoal.Rate) scenario {
	s := equal(n, rate)
	s.origin, s.cold = link{10 * rate, 10 * rate}, true
	return s
}

// registerAll starts a web server at the origin, and registers the contents with
// it as their only source (BEP 19): no node has them.
func (d *shoalDriver) registerAll(ctx context.Context, m member) error {
	url, err := d.startNginx(ctx, m, false)
	if err != nil {
		return err
	}
	for _, c := range d.contents {
		manifest, err := shoal.BuildManifest(ctx, c.path, shoal.BuildOptions{})
		if err != nil {
			return err
		}
		if manifest, err = manifest.WithWebSeeds([]string{url + "/" + c.name}); err != nil {
			return err
		}
		if _, err := d.client.PutContent(ctx, manifest.Torrent()); err != nil {
			return fmt.Errorf("register %s: %w", c.name, err)
		}
		d.seeded = append(d.seeded, manifest.ID())
	}
	return nil
}
