//go:build linux

package main

import (
	"context"
	"fmt"

	"github.com/shoal-cdn/shoal"
)

// coldDesigns are those in which nobody has the content but a web server.
func coldDesigns() []design {
	const about = "60 nodes, 2 Mbit/s each way, and a web server of 20 Mbit/s as the only source"
	const size = 8 << 20
	return []design{
		{"coldstart60", about, size, func(shoal.Size) scenario {
			s := cold(60)
			s.tools = []string{"shoal", "http"}
			return s
		}},
		{"coldstart60-nolease", about + ", which all may read at once", size, func(shoal.Size) scenario {
			s := cold(60)
			s.noLeases, s.tools = true, []string{"shoal"}
			return s
		}},
	}
}

func cold(n int) scenario {
	s := equal(n, 2*mbit)
	s.origin, s.cold = link{20 * mbit, 20 * mbit}, true
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
