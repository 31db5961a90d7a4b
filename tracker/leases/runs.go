package leases

import (
	"cmp"
	"iter"
	"slices"

	"github.com/shoal-cdn/shoal/tracker/api"
)

// pieces yields the pieces of runs.
func pieces(runs []api.Run) iter.Seq[int] {
	return func(yield func(int) bool) {
		for _, r := range runs {
			for p := r.First; p < r.First+r.Count; p++ {
				if !yield(p) {
					return
				}
			}
		}
	}
}

// pick gathers up to want of n pieces for which ok holds into at most
// [api.MaxRuns] runs, searching from a piece on and around. Next is where
// another search should go on.
func pick(n, from, want int, ok func(int) bool) (runs []api.Run, next int) {
	next = from
	for i := range n {
		if want == 0 {
			break
		}
		p := (from + i) % n
		if !ok(p) {
			continue
		}
		if last := len(runs) - 1; last >= 0 && p == runs[last].First+runs[last].Count {
			runs[last].Count++
		} else if len(runs) == api.MaxRuns {
			break
		} else {
			runs = append(runs, api.Run{First: p, Count: 1})
		}
		want--
		next = p + 1
	}
	slices.SortFunc(runs, func(a, b api.Run) int { return cmp.Compare(a.First, b.First) })
	return runs, next % max(n, 1)
}
