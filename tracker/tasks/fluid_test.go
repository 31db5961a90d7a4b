package tasks

import (
	"testing"

	"github.com/shoal-cdn/shoal"
)

// TestFluidBound: B2, max(F/u_s, F/d_min, N·F/(u_s+Σu_i)).
func TestFluidBound(t *testing.T) {
	node := func(up, down shoal.Rate) Link { return Link{Up: up, Down: down} }
	for _, tt := range []struct {
		name    string
		size    int64
		origins []shoal.Rate
		nodes   []Link
		want    float64 // 0: unknown
	}{
		{"first copy through a thin origin", 1000, []shoal.Rate{10}, []Link{node(100, 100), node(100, 100)}, 100},
		{"slowest downlink", 1000, []shoal.Rate{1000}, []Link{node(100, 5), node(100, 100)}, 200},
		{"all uplinks together", 1000, []shoal.Rate{10}, []Link{node(1, 1000), node(1, 1000), node(1, 1000)}, 3000. / 13},
		{"one node", 1000, []shoal.Rate{10}, []Link{node(7, 20)}, 100},
		{"two origins", 1000, []shoal.Rate{10, 30}, []Link{node(100, 100)}, 25},
		{"16 nodes at 20 Mbit/s, 64 MiB", 64 << 20, []shoal.Rate{2_500_000}, repeat(node(2_500_000, 2_500_000), 16), 26.8435456},
		{"unknown uplink of an origin", 1000, []shoal.Rate{10, 0}, []Link{node(1, 1)}, 0},
		{"unknown uplink of a node", 1000, []shoal.Rate{10}, []Link{node(1, 1), node(0, 1)}, 0},
		{"unknown downlink", 1000, []shoal.Rate{10}, []Link{node(1, 0)}, 0},
		{"no origin", 1000, nil, []Link{node(1, 1)}, 0},
		{"nobody to fetch", 1000, []shoal.Rate{10}, nil, 0},
		{"nothing to fetch", 0, []shoal.Rate{10}, []Link{node(1, 1)}, 0},
	} {
		got := FluidBound(tt.size, tt.origins, tt.nodes)
		if (got == nil) != (tt.want == 0) || got != nil && (*got < tt.want*(1-1e-12) || *got > tt.want*(1+1e-12)) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func repeat(n Link, times int) []Link {
	list := make([]Link, times)
	for i := range list {
		list[i] = n
	}
	return list
}
