package announce

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/shoal-cdn/shoal/tracker/api"
)

// Paths are told when something was sent on them, with other news or, when it was
// much, at once.
func TestPathDelta(t *testing.T) {
	const much = 1 << 20
	was := []api.Path{{From: "a", To: "b", Bytes: much, RTT: 60}, {From: "a", To: "c", Bytes: 10}}
	for name, c := range map[string]struct {
		now     []api.Path
		want    []api.Path
		urgency urgency
	}{
		"no change":              {was, nil, nothing},
		"other figures, no byte": {[]api.Path{{From: "a", To: "b", Bytes: much}, was[1]}, nil, nothing},
		"kept alive":             {[]api.Path{was[0], {From: "a", To: "c", Bytes: 20}}, []api.Path{{From: "a", To: "c", Bytes: 20}}, nothing},
		"in use":                 {[]api.Path{{From: "a", To: "b", Bytes: 2 * much}, was[1]}, []api.Path{{From: "a", To: "b", Bytes: 2 * much}}, progress},
		"new": {append([]api.Path{{From: "d", To: "b", Bytes: much}}, was...),
			[]api.Path{{From: "d", To: "b", Bytes: much}}, progress},
		"forgotten": {was[:1], nil, nothing},
	} {
		l := newLedger()
		l.acknowledge(api.Announce{Node: self, Full: true, Paths: was})
		got, u := l.delta(Snapshot{Node: self, Paths: c.now})
		if !reflect.DeepEqual(got.Paths, c.want) || u != c.urgency {
			t.Errorf("%s: %+v, %d, want %+v, %d", name, got.Paths, u, c.want, c.urgency)
		}
	}
	l := newLedger()
	l.acknowledge(api.Announce{Node: self, Full: true, Paths: was})
	l.reset()
	if got, _ := l.delta(Snapshot{Node: self, Paths: was}); !reflect.DeepEqual(got.Paths, was) {
		t.Errorf("to a tracker that knows nothing: %+v", got.Paths)
	}
	var many []api.Path
	for i := range api.MaxPaths + 1 {
		many = append(many, api.Path{From: "a", To: fmt.Sprint(i), Bytes: 1})
	}
	if got, _ := l.delta(Snapshot{Node: self, Paths: many}); len(got.Paths) != api.MaxPaths {
		t.Errorf("%d paths", len(got.Paths))
	}
}
