package subtask

import (
	"time"

	"github.com/shoal-cdn/shoal/node/library"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// task is one order and what became of it, as it is in the journal.
type task struct {
	Order    api.SubTaskOrder  `json:"order"`
	Accepted time.Time         `json:"accepted"`
	Before   api.Bytes         `json:"before"` // the content's counters when the order came
	Report   api.SubTaskReport `json:"report"` // as far as it is final
}

func (t *task) final() bool { return t.Report.State.Final() }

// current is the report at now; ty is the content's tally.
func (t *task) current(ty library.Tally, now time.Time) api.SubTaskReport {
	r := t.Report
	if t.final() {
		return r
	}
	r.Pieces = ty.Pieces
	r.Bytes = since(ty.Bytes, t.Before)
	r.Faults = ty.Faults
	r.Seconds = max(0, now.Sub(t.Accepted).Seconds()) // the clock may have been set back
	return r
}

// end makes the report final.
func (t *task) end(ty library.Tally, now time.Time, state api.State, reason string) {
	t.Report = t.current(ty, now)
	t.Report.State, t.Report.Error = state, reason
}

// since is b less what was counted before. Counters that a crash set back
// leave no negative figures.
func since(b, before api.Bytes) api.Bytes {
	return api.Bytes{
		Origin:       max(0, b.Origin-before.Origin),
		Peers:        max(0, b.Peers-before.Peers),
		CrossCarrier: max(0, b.CrossCarrier-before.CrossCarrier),
		Upstream:     max(0, b.Upstream-before.Upstream),
		Wasted:       max(0, b.Wasted-before.Wasted),
	}
}
