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
	Began    time.Time         `json:"began,omitzero"`     // the first time, over all restarts; zero: others have gone first so far
	Queued   float64           `json:"queued,omitempty"`   // seconds for which others went first, without the wait under way
	Waits    time.Time         `json:"waits,omitzero"`     // since when others go first again, over all restarts; zero: they don't
	Before   api.Bytes         `json:"before"`             // of the content's counters, what is not the order's: from before it began, and while it waited again
	WhyThen  api.Why           `json:"why_then,omitzero"`  // of its account of time, likewise
	Report   api.SubTaskReport `json:"report"`             // as far as it is final; while it is not, pending says that others go first, and has what came before they did again
	Dropping bool              `json:"dropping,omitempty"` // cancelled, and what was fetched is still to be removed
	Heir     bool              `json:"heir,omitempty"`     // a cancelled order left what was fetched to this one, to remove it if it is cancelled too

	kept      bool // it is in the journal
	asleep    bool // from before a restart, and not yet resumed
	here      bool // its content was here, or on its way, when it came
	delivered bool // while dropping: the tracker has the report
	pulse     pulse
}

func (t *task) final() bool   { return t.Report.State.Final() }
func (t *task) waiting() bool { return t.Report.State == api.Pending && !t.asleep }
func (t *task) running() bool { return t.Report.State == api.Running && !t.asleep }

// wait has the order wait for its turn after a restart; ty is the content's tally. What had waited goes on to, as if the
// node had not been away.
func (t *task) wait(ty library.Tally, now time.Time) {
	t.Report.State = api.Pending
	if t.Began.IsZero() || t.waitsAgain() {
		return
	}
	t.Waits = now
	t.Report.Bytes, t.Report.Why = since(ty.Bytes, t.Before), whySince(ty.Why, t.WhyThen)
}

// waitsAgain reports whether others go first although the order had begun.
func (t *task) waitsAgain() bool { return !t.Waits.IsZero() }

// queued is for how many seconds others have gone first.
func (t *task) queued(now time.Time) float64 {
	from := t.Waits
	switch {
	case t.Began.IsZero():
		from = t.Accepted // no other time has passed
	case !t.waitsAgain():
		return t.Queued
	}
	return t.Queued + max(0, now.Sub(from).Seconds()) // the clock may have been set back
}

// begin takes note that the order's turn has come; ty is the content's tally. Of that nothing is the order's own but what
// had come before it waited again.
func (t *task) begin(ty library.Tally, now time.Time) {
	t.Queued, t.Waits = t.queued(now), time.Time{}
	if t.Began.IsZero() {
		t.Began = now
	}
	t.Before, t.WhyThen = since(ty.Bytes, t.Report.Bytes), whySince(ty.Why, t.Report.Why)
	t.Report.State = api.Running
	t.pulse = pulse{moved: now}
}

// current is the report at now; ty is the content's tally.
func (t *task) current(ty library.Tally, now time.Time) api.SubTaskReport {
	r := t.Report
	if t.final() {
		return r
	}
	r.Priority = t.Order.Priority
	r.Seconds = max(0, now.Sub(t.Accepted).Seconds()) // the clock may have been set back
	if t.Began.IsZero() {
		r.Why.Queued = r.Seconds // whatever comes of the content is another's doing
		return r
	}
	r.Pieces = ty.Pieces
	r.Faults = ty.Faults
	if !t.waitsAgain() {
		r.Bytes, r.Why = since(ty.Bytes, t.Before), whySince(ty.Why, t.WhyThen)
	}
	r.Why.Queued = t.queued(now)
	return r
}

// end makes the report final.
func (t *task) end(ty library.Tally, now time.Time, state api.State, reason string) {
	t.Report = t.current(ty, now)
	t.Report.State, t.Report.Error = state, reason
	if state == api.Succeeded {
		t.Report.Pieces = ty.Pieces // also of one that never began
	}
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

// whySince is w less what was accounted for before.
func whySince(w, before api.Why) api.Why {
	return api.Why{
		Active: max(0, w.Active-before.Active), NoPeer: max(0, w.NoPeer-before.NoPeer), SlowPeer: max(0, w.SlowPeer-before.SlowPeer),
		Lease: max(0, w.Lease-before.Lease), Upstream: max(0, w.Upstream-before.Upstream),
		Disk: max(0, w.Disk-before.Disk), Limit: max(0, w.Limit-before.Limit),
	}
}
