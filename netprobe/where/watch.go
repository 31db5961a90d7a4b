package where

import (
	"context"
	"os"
	"time"
)

// lookEvery is how often files are looked at. A change is loaded when it is seen
// a second time, so that it takes effect within twice as long.
const lookEvery = 2 * time.Second

// Watch loads files anew when they have changed, and all of them when something
// is received from now, until ctx ends. What can't be loaded is logged, once for
// each change of the file.
func (s *Sources) Watch(ctx context.Context, now <-chan os.Signal) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-now:
			_ = s.Reload() // it is logged
		case <-tick.C:
			_ = s.reload((*file).due) // likewise
		}
	}
}
