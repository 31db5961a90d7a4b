package registry

import (
	"fmt"
	"slices"
	"strings"

	"github.com/shoal-cdn/shoal"
)

// refusal says which names of a new task cannot be served, nil if all can.
func refusal(unknown, dead, guests []string) error {
	var parts []string
	for _, p := range []struct {
		what  string
		names []string
	}{{"no such node", unknown}, {"not alive", dead}, {"a guest, which takes no tasks", guests}} {
		if len(p.names) > 0 {
			parts = append(parts, p.what+": "+listed(p.names))
		}
	}
	switch {
	case len(unknown)+len(dead) > 0:
		return fmt.Errorf("%w: %s", shoal.ErrNotFound, strings.Join(parts, "; "))
	case len(guests) > 0:
		return fmt.Errorf("%w: %s", shoal.ErrInvalid, strings.Join(parts, "; "))
	}
	return nil
}

// listed quotes names, at most a screenful of them.
func listed(names []string) string {
	const most = 20
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	more := ""
	if len(names) > most {
		more = fmt.Sprintf(" and %d more", len(names)-most)
		names = names[:most]
	}
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = fmt.Sprintf("%.80q", n)
	}
	return strings.Join(quoted, ", ") + more
}
