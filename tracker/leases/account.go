package leases

import (
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

const (
	defaultCopies = 1
	// slack is the part of a copy that makes up for what was read and lost.
	slack = 0.15
	// slackPieces is the least that it comes to.
	slackPieces = 2
	// refillEvery is how long an account without limits of its own takes to grow
	// by a copy.
	refillEvery = 10 * time.Minute
	// accountIdle is how long a task's account is kept without being charged.
	accountIdle = 24 * time.Hour
)

// bounds are a task's limits as they hold for one carrier.
type bounds struct {
	copies      float64
	refills     bool       // the account grows with time
	originRate  shoal.Rate // bytes/s; 0: none
	carrierRate shoal.Rate // bytes/s; 0: none
}

func boundsOf(l api.Limits, carrier string) bounds {
	b := bounds{copies: l.EgressCopies, originRate: l.EgressRate}
	if c, ok := l.Carriers[carrier]; ok {
		b.carrierRate = c.EgressRate
		if c.EgressCopies > 0 {
			b.copies = c.EgressCopies
		}
	}
	if b.copies == 0 {
		b.copies, b.refills = defaultCopies, true
	}
	return b
}

// account is what origins may still send into a carrier for a task, in bytes.
type account struct {
	spent    float64
	reserved int64 // by leases under way
	at       time.Time
}

// room is how much can be reserved at the time now.
func (a *account) room(now time.Time, c *Content, b bounds) int64 {
	if b.refills && now.After(a.at) {
		a.spent = max(a.spent-now.Sub(a.at).Seconds()/refillEvery.Seconds()*float64(c.size), 0)
	}
	a.at = now
	most := b.copies*float64(c.size) + max(slack*float64(c.size), float64(slackPieces*c.pieceLength))
	return int64(most-a.spent) - a.reserved
}

func (a *account) reserve(n int64) { a.reserved += n }

// settle ends a reservation of which used bytes were read.
func (a *account) settle(reserved, used int64) {
	a.reserved -= reserved
	a.spent += float64(used)
}
