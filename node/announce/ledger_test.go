package announce

import (
	"encoding/json"
	"reflect"
	"strconv"
	"testing"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

func id(n byte) shoal.ContentID { return shoal.ContentID{n} }

func holding(n byte, role api.Role, count int) api.Holding {
	return api.Holding{Content: id(n), Role: role, Pieces: shoal.Pieces{Total: 8, Count: count}}
}

func report(task string, state api.State, pieces int) api.SubTaskReport {
	return api.SubTaskReport{Task: task, State: state, Pieces: pieces}
}

func snapshot(n api.NodeInfo, hs []api.Holding, rs []api.SubTaskReport) Snapshot {
	return Snapshot{Node: n, Holdings: hs, SubTasks: rs}
}

var self = api.NodeInfo{ID: "n1", Name: "one", Addrs: []string{"/ip4/198.18.0.1/tcp/1"}}

// M2, M11: from what the tracker acknowledged to what is so now.
func TestDelta(t *testing.T) {
	base := Snapshot{
		Node:     self,
		Holdings: []api.Holding{holding(1, api.Fetcher, 3), holding(2, api.Holder, 8)},
		SubTasks: []api.SubTaskReport{report("t", api.Running, 3)},
	}
	moved := self
	moved.Addrs = []string{"/ip4/198.18.0.2/tcp/1"}
	reachable := self
	reachable.Gateway = []string{"https://198.18.0.1:2"}
	faulty := report("t", api.Running, 3)
	faulty.Faults = []api.Fault{{Peer: "p", Kind: "corrupt", Count: 1}}
	later := report("t", api.Running, 3)
	later.Seconds, later.Why.NoPeer = 99, 90

	for _, c := range []struct {
		name    string
		now     Snapshot
		want    api.Announce
		urgency urgency
	}{
		{"no change", base, api.Announce{}, nothing},
		{"more pieces", snapshot(self, []api.Holding{holding(1, api.Fetcher, 4), base.Holdings[1]}, base.SubTasks),
			api.Announce{Holdings: []api.Holding{holding(1, api.Fetcher, 4)}}, progress},
		{"complete", snapshot(self, []api.Holding{holding(1, api.Holder, 8), base.Holdings[1]}, base.SubTasks),
			api.Announce{Holdings: []api.Holding{holding(1, api.Holder, 8)}}, news},
		{"new content", snapshot(self, append([]api.Holding{holding(3, api.Origin, 8)}, base.Holdings...), base.SubTasks),
			api.Announce{Holdings: []api.Holding{holding(3, api.Origin, 8)}}, news},
		{"gone", snapshot(self, base.Holdings[:1], base.SubTasks),
			api.Announce{Gone: []shoal.ContentID{id(2)}}, news},
		{"task progress", snapshot(self, base.Holdings, []api.SubTaskReport{report("t", api.Running, 4)}),
			api.Announce{SubTasks: []api.SubTaskReport{report("t", api.Running, 4)}}, progress},
		{"a fault", snapshot(self, base.Holdings, []api.SubTaskReport{faulty}),
			api.Announce{SubTasks: []api.SubTaskReport{faulty}}, progress},
		{"time passes", snapshot(self, base.Holdings, []api.SubTaskReport{later}),
			api.Announce{}, nothing},
		{"task ends", snapshot(self, base.Holdings, []api.SubTaskReport{report("t", api.Failed, 3)}),
			api.Announce{SubTasks: []api.SubTaskReport{report("t", api.Failed, 3)}}, news},
		{"task forgotten", snapshot(self, base.Holdings, nil), api.Announce{}, nothing},
		{"moved", snapshot(moved, base.Holdings, base.SubTasks), api.Announce{}, news},
		{"a gateway", snapshot(reachable, base.Holdings, base.SubTasks), api.Announce{}, news},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLedger()
			first, u := l.delta(base)
			if !first.Full || u != news || len(first.Holdings) != 2 || len(first.SubTasks) != 1 {
				t.Fatalf("first announce: %+v, %v", first, u)
			}
			l.acknowledge(first)

			got, u := l.delta(c.now)
			c.want.Node = c.now.Node
			if !reflect.DeepEqual(got, c.want) || u != c.urgency {
				t.Fatalf("got %+v, urgency %v\nwant %+v, urgency %v", got, u, c.want, c.urgency)
			}
			// Unacknowledged, it is told again; acknowledged, it is not.
			if again, _ := l.delta(c.now); !reflect.DeepEqual(again, got) {
				t.Fatalf("resent as %+v, was %+v", again, got)
			}
			l.acknowledge(got)
			if rest, u := l.delta(c.now); u != nothing || len(rest.Holdings)+len(rest.Gone)+len(rest.SubTasks) != 0 {
				t.Fatalf("after the acknowledgement: %+v, %v", rest, u)
			}
		})
	}
}

func TestResetTellsAllAgain(t *testing.T) {
	l := newLedger()
	s := Snapshot{Node: self, Holdings: []api.Holding{holding(1, api.Holder, 8)}, SubTasks: []api.SubTaskReport{report("t", api.Running, 1)}}
	first, _ := l.delta(s)
	l.acknowledge(first)
	l.reset()
	if again, u := l.delta(s); !reflect.DeepEqual(again, first) || u != news {
		t.Fatalf("got %+v, %v, want %+v", again, u, first)
	}
}

func TestAcknowledgeNamesFinalReports(t *testing.T) {
	l := newLedger()
	s := Snapshot{SubTasks: []api.SubTaskReport{report("a", api.Running, 1), report("b", api.Succeeded, 8), report("c", api.Cancelled, 0)}}
	msg, _ := l.delta(s)
	if final := l.acknowledge(msg); !reflect.DeepEqual(final, []string{"b", "c"}) {
		t.Fatalf("final: %v", final)
	}
	s.SubTasks = s.SubTasks[:1]
	l.forget(s)
	if len(l.subTasks) != 1 {
		t.Fatalf("the ledger keeps %v", l.subTasks)
	}
}

// tracker/api limits.go: what does not fit goes on in a second announce.
func TestLargeDifferencesAreSplit(t *testing.T) {
	var s Snapshot
	for i := range 40_000 {
		h := holding(byte(i), api.Holder, 8)
		h.Content[1], h.Content[2] = byte(i>>8), byte(i>>16)
		s.Holdings = append(s.Holdings, h)
	}
	for i := range 6_000 {
		s.SubTasks = append(s.SubTasks, report(strconv.Itoa(i), api.Succeeded, 8))
	}
	check := func(l *ledger, s Snapshot) (n int) {
		for {
			msg, u := l.delta(s)
			if u == nothing {
				return n
			}
			n++
			b, err := json.Marshal(msg)
			if err != nil || len(b) > api.MaxAnnounceBytes || len(msg.Holdings)+len(msg.Gone) > api.MaxHoldings ||
				len(msg.SubTasks) > api.MaxReports || msg.Full != (n == 1 && len(s.Holdings) > 0) || n > 100 {
				t.Fatalf("announce %d: %d bytes, full %v, %d holdings, %d gone, %d reports, %v",
					n, len(b), msg.Full, len(msg.Holdings), len(msg.Gone), len(msg.SubTasks), err)
			}
			l.acknowledge(msg)
		}
	}
	l := newLedger()
	check(l, s)
	if len(l.holdings) != 40_000 || len(l.subTasks) != 6_000 {
		t.Fatalf("acknowledged %d holdings, %d reports", len(l.holdings), len(l.subTasks))
	}
	check(l, Snapshot{})
	if len(l.holdings) != 0 {
		t.Fatalf("%d holdings are left", len(l.holdings))
	}
}
