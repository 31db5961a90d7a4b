package announce

import "github.com/shoal-cdn/shoal/tracker/api"

// worthTelling is by how many bytes a path must have changed for it to be told before
// something else is: connections that are only kept alive don't cost announces.
const worthTelling = 64 << 10

// line is a path by its ends.
type line struct{ from, to string }

// changedPaths are those on which something was sent since it was told. How often
// that is, whoever measures them decides.
func (l *ledger) changedPaths(cur []api.Path) (changed []api.Path, most urgency) {
	for _, p := range cur[:min(len(cur), api.MaxPaths)] {
		told := l.paths[line{p.From, p.To}]
		if p.Bytes == told {
			continue
		}
		changed = append(changed, p)
		if p.Bytes-told >= worthTelling {
			most = progress
		}
	}
	return changed, most
}

func (l *ledger) keepPaths(told []api.Path) {
	for _, p := range told {
		l.paths[line{p.From, p.To}] = p.Bytes
	}
}
