package supply

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/shoal-cdn/shoal/fallback"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// Ahead is a lease that is asked for, and a connection to what it names, while the node
// still waits for the content's manifest: across a long line each of the three takes
// round trips, and none needs another's answer. It becomes a [Supply]'s by
// [Config.Ahead]; where it does not, the lease is given back.
type Ahead struct {
	leases  Leaser
	log     *slog.Logger
	request api.LeaseRequest
	guard   fallback.Guard
	asking  context.Context // ends the call
	abort   context.CancelFunc
	owned   atomic.Bool   // by a Supply, or it is being given back
	dropped chan struct{} // closed when Run need not wait any more
	drop    sync.Once
	done    chan struct{} // closed when what follows is set

	reply   api.LeaseReply
	err     error
	at      time.Time         // when the reply came
	reached *fallback.Reached // nil: nothing
}

const (
	// aheadTime is how long what was asked for ahead of time waits to be used, but for a
	// lease that ends sooner.
	aheadTime = 20 * time.Second
	// aheadLeft is what a lease must still last then: a Supply takes no shorter one ([check]).
	aheadLeft = time.Second
)

// NewAhead is for a request for a lease by a node whose swarm will need one for
// certain. guard is as [Config.Guard].
func NewAhead(leases Leaser, r api.LeaseRequest, guard fallback.Guard, log *slog.Logger) *Ahead {
	a := &Ahead{leases: leases, log: log, request: r, guard: guard, done: make(chan struct{}), dropped: make(chan struct{})}
	a.asking, a.abort = context.WithCancel(context.Background())
	return a
}

// Run asks, and waits until the lease is a Supply's or given back: because of Drop, that
// ctx ends, or that nobody has taken it for too long. It is called once.
func (a *Ahead) Run(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, aheadTime)
	defer cancel()
	a.ask(ctx)
	close(a.done)
	select {
	case <-ctx.Done():
	case <-a.dropped:
	case <-time.After(a.usable()):
	}
	if a.take() {
		a.giveBack()
	}
}

// usable is for how long what came of it is worth waiting with.
func (a *Ahead) usable() time.Duration {
	if a.err != nil || a.reply.Lease == nil {
		return aheadTime
	}
	usable := min(a.reply.Lease.Expires-aheadLeft.Seconds(), aheadTime.Seconds())
	return time.Duration(usable * float64(time.Second))
}

func (a *Ahead) ask(ctx context.Context) {
	call, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	defer context.AfterFunc(a.asking, cancel)()
	a.reply, a.err = a.leases.Lease(call, a.request)
	a.at = time.Now()
	if a.err != nil || a.reply.Lease == nil {
		return
	}
	u, err := upstream(*a.reply.Lease, 0)
	if err != nil || u.Kind != fallback.Node { // a web seed is asked for what it is known to have
		return
	}
	if a.reached, err = fallback.Reach(u, nodeGuard(a.guard)); err != nil {
		a.log.Debug("cannot connect ahead of time", "upstream", u.Name, "err", err)
	}
}

// take reports whether it is the caller's from now on.
func (a *Ahead) take() bool { return a.owned.CompareAndSwap(false, true) }

// Drop has it given back, unless a Supply has it. More than once is no error.
func (a *Ahead) Drop() { a.drop.Do(func() { close(a.dropped) }) }

// Over reports whether nobody can have it any more.
func (a *Ahead) Over() bool { return a.owned.Load() }

// giveBack lets go of what came of it.
func (a *Ahead) giveBack() {
	if a.reached != nil {
		a.reached.Close()
	}
	if l := a.reply.Lease; a.err == nil && l != nil {
		ctx, cancel := context.WithTimeout(context.Background(), partingTime)
		defer cancel()
		if err := a.leases.ReturnLease(ctx, l.ID, 0); err != nil {
			a.log.Debug("could not give a lease back; it expires", "lease", l.ID, "err", err)
		}
	}
}

// adopt goes on with what was asked for ahead of time as with a call of its own.
func (s *Supply) adopt(ctx context.Context) {
	a := s.cfg.Ahead
	if a == nil || !a.take() {
		return
	}
	s.tracker.calling, s.tracker.asked = true, true
	s.running.Go(func() {
		defer a.Drop()
		defer context.AfterFunc(ctx, a.abort)()
		<-a.done // within callTime, and soon after ctx has ended
		reply := a.reply
		if reply.Lease != nil {
			l := *reply.Lease
			l.Expires -= time.Since(a.at).Seconds()
			reply.Lease = &l
		}
		select {
		case s.replies <- answer{a.request, reply, a.err}:
			<-ctx.Done()
			if a.reached != nil {
				a.reached.Close() // unless a fetcher has it
			}
		case <-ctx.Done():
			a.giveBack()
		}
	})
}

// reached is what was connected to ahead of time.
func (s *Supply) reached() []*fallback.Reached {
	if a := s.cfg.Ahead; a != nil && a.owned.Load() {
		select {
		case <-a.done:
			if a.reached != nil {
				return []*fallback.Reached{a.reached}
			}
		default:
		}
	}
	return nil
}
