package leases

import (
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// ledger is what one carrier has of one content, and what is on its way there.
type ledger struct {
	carrier  string
	held     *shoal.PieceSet // by its live nodes but origins, as of looked
	looked   time.Time
	fetchers int // as of looked

	taken  *shoal.PieceSet // leased, or arrived and maybe not announced yet
	sent   *shoal.PieceSet // have come in by a lease
	fresh  *shoal.PieceSet // neither held nor taken
	unsent *shoal.PieceSet // neither sent nor taken
	next   int             // where the search for fresh pieces goes on
	again  int             // the same for unsent ones

	rate     shoal.Rate // of its leases from origins that are bounded
	askers   map[shoal.NodeID]*asker
	accounts map[string]*account // by task
}

func newLedger(carrier string, pieces int) *ledger {
	return &ledger{
		carrier: carrier,
		taken:   shoal.NewPieceSet(pieces), sent: shoal.NewPieceSet(pieces),
		fresh: shoal.FullPieceSet(pieces), unsent: shoal.FullPieceSet(pieces),
		askers: make(map[shoal.NodeID]*asker), accounts: make(map[string]*account),
	}
}

// see takes over what the carrier's nodes hold by now; nil is nothing.
func (l *ledger) see(now time.Time, held *shoal.PieceSet, fetchers int) {
	if held == nil || held.Len() != l.taken.Len() { // a node may claim any number
		held = shoal.NewPieceSet(l.taken.Len())
	}
	l.held, l.looked, l.fetchers = held, now, fetchers
	l.fresh = shoal.NewPieceSet(held.Len())
	for p := range held.Missing() {
		if !l.taken.Has(p) {
			l.fresh.Add(p)
		}
	}
}

// take reserves pieces that nobody has taken.
func (l *ledger) take(runs []api.Run) {
	for p := range pieces(runs) {
		l.taken.Add(p)
		l.fresh.Remove(p)
		l.unsent.Remove(p)
	}
}

// arrived records that pieces came in; they stay taken until they are freed.
func (l *ledger) arrived(runs []api.Run) {
	for p := range pieces(runs) {
		l.sent.Add(p)
		l.unsent.Remove(p)
	}
}

// free gives pieces back. They are the next to be leased: nobody should wait
// for them until the end.
func (l *ledger) free(runs []api.Run) {
	for p := range pieces(runs) {
		l.taken.Remove(p)
		if !l.held.Has(p) {
			l.fresh.Add(p)
			l.next = min(l.next, p)
		}
		if !l.sent.Has(p) {
			l.unsent.Add(p)
			l.again = min(l.again, p)
		}
	}
}

// account returns a task's account.
func (l *ledger) account(task string) *account {
	a := l.accounts[task]
	if a == nil {
		a = new(account)
		l.accounts[task] = a
	}
	return a
}

// sweep forgets nodes that have stopped asking and accounts that nobody has
// charged for long. It reports whether a task's account is left.
func (l *ledger) sweep(now time.Time) (owed bool) {
	for id, a := range l.askers {
		if a.leases == 0 && now.Sub(a.asked) > askerIdle {
			delete(l.askers, id)
		}
	}
	for task, a := range l.accounts {
		if task == "" {
			continue // it has grown back when its book is dropped
		}
		if a.reserved == 0 && now.Sub(a.at) > accountIdle {
			delete(l.accounts, task)
			continue
		}
		owed = true
	}
	return owed
}
