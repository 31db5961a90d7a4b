package announce

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"golang.org/x/time/rate"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

const (
	longestHold   = 20 * time.Second       // how long the tracker is asked to hold an announce open
	progressEvery = time.Second            // progress is told at most this often
	settle        = 10 * time.Millisecond  // news that comes in a burst travels together
	firstRetry    = 250 * time.Millisecond // doubled up to lastRetry, with jitter
	lastRetry     = 3500 * time.Millisecond
	answerTime    = 15 * time.Second // for a tracker to answer, on top of the hold
	leaveTime     = 3 * time.Second
	parting       = 5 * time.Second  // for an announce that is out of date to be answered
	askAgain      = 10 * time.Second // how often a lonely node asks for the peers it was told of before
)

// spacing is the least time between announces in the long run; atOnce of them may
// follow each other without. A node that is given a task tells of it three times: that it
// has it, that it fetches, how much there is. Each wait in between would be one
// before the first byte.
const (
	spacing = 80 * time.Millisecond
	atOnce  = 8
)

// errNews is why a held announce was given up: there is something to tell.
var errNews = errors.New("there is news")

// Tracker is what the loop needs of a tracker's client.
type Tracker interface {
	// Announce returns when the tracker has answered, which may take
	// msg.Wait, or ctx has ended.
	Announce(ctx context.Context, msg api.Announce) (api.Reply, error)
}

// Local is the node on whose behalf the loop talks. The loop calls its
// methods from one goroutine at a time.
type Local interface {
	// Snapshot is called about once a second; what it returns is the loop's.
	Snapshot() Snapshot
	// Apply processes a reply. The sub-tasks in it are taken as delivered
	// when it returns, so it must not return before they are durable.
	Apply(api.Reply)
	// Delivered says that the tracker knows these tasks' final reports.
	Delivered(tasks []string)
}

// Status tells how the talking goes.
type Status struct {
	Announces int       // answered
	Failures  int       // unanswered or refused
	Answered  time.Time // the last answer; zero: none yet
	Err       error     // the last failure; nil since the last answer
}

// Announcer is the loop. Its methods are safe for concurrent use; Run must
// be called once.
type Announcer struct {
	tracker Tracker
	local   Local
	log     *slog.Logger
	wake    chan struct{} // capacity 1: there may be news

	session string
	calls   sync.WaitGroup
	ledger  *ledger       // Run's
	seq     uint64        // Run's: announces sent
	cursor  uint64        // Run's
	asked   time.Time     // Run's: when it last asked for all peers again
	hold    time.Duration // Run's: how long to have an announce held

	mu      sync.Mutex
	status  Status
	refused bool            // status.Err: a tracker answered, and said no
	flushes []chan struct{} // closed once all that there is to tell has been told
}

// New makes the loop for one start of a node.
func New(t Tracker, l Local, log *slog.Logger) *Announcer {
	return &Announcer{
		tracker: t, local: l, log: log,
		wake:    make(chan struct{}, 1),
		session: rand.Text(),
		ledger:  newLedger(),
		hold:    longestHold,
	}
}

// Session names this start of the node in its announces.
func (a *Announcer) Session() string { return a.session }

// Wake says that there may be news. It never blocks.
func (a *Announcer) Wake() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// Flush waits until the tracker has been told all that the node had to tell
// when Flush was called, or until ctx ends; the error is ctx's.
func (a *Announcer) Flush(ctx context.Context) error {
	told := make(chan struct{})
	a.mu.Lock()
	a.flushes = append(a.flushes, told)
	a.mu.Unlock()
	a.Wake()
	select {
	case <-told:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// settleFlushes ends those that waited before snapshot was taken, where it is
// all told.
func (a *Announcer) settleFlushes(waiting []chan struct{}, snapshot Snapshot) {
	if _, u := a.ledger.delta(snapshot); u == nothing {
		for _, told := range waiting {
			close(told)
		}
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.flushes = append(waiting, a.flushes...)
}

func (a *Announcer) takeFlushes() []chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	waiting := a.flushes
	a.flushes = nil
	return waiting
}

// Status may be called at any time.
func (a *Announcer) Status() Status {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.status
}

// Run announces until ctx ends, then tells the tracker that the node leaves.
func (a *Announcer) Run(ctx context.Context) {
	retry := &backoff.ExponentialBackOff{
		InitialInterval: firstRetry, MaxInterval: lastRetry, Multiplier: 2, RandomizationFactor: 0.5,
	}
	retry.Reset()
	pace := rate.NewLimiter(rate.Every(spacing), atOnce)
	for pace.Wait(ctx) == nil {
		switch err := a.round(ctx); {
		case err == nil:
			retry.Reset()
		case errors.Is(err, errNews), ctx.Err() != nil:
		default:
			a.failed(err)
			sleep(ctx, retry.NextBackOff())
		}
	}
	a.calls.Wait()
	a.leave(context.WithoutCancel(ctx))
}

// round is one announce and its reply.
func (a *Announcer) round(ctx context.Context) error {
	a.drain()
	waiting := a.takeFlushes()
	snapshot := a.local.Snapshot()
	a.ledger.forget(snapshot)
	msg, urgency := a.ledger.delta(snapshot)
	if urgency == nothing {
		a.settleFlushes(waiting, snapshot) // before an announce that may be held
	} else {
		defer func() { a.settleFlushes(waiting, snapshot) }()
	}
	a.address(&msg)
	if snapshot.Lonely && time.Since(a.asked) >= askAgain {
		a.asked = time.Now()
		msg.Cursor = 0
	}
	wait := a.waitFor(urgency)
	msg.Wait = wait.Seconds()

	sent := time.Now()
	reply, err := a.exchange(ctx, msg, urgency)
	if err != nil {
		return err
	}
	a.answered(msg, reply)
	if reply.Resync {
		again := a.ledger.full
		a.ledger.reset()
		if again {
			return errResync // told all, and still unknown: no hurry to repeat it
		}
		return nil
	}
	if len(reply.Peers) == 0 && len(reply.SubTasks) == 0 {
		// A tracker that does not hold must not turn the loop into a spin.
		a.idle(ctx, min(wait, progressEvery)-time.Since(sent))
	}
	return nil
}

// address fills in what makes msg the next one of this session.
func (a *Announcer) address(msg *api.Announce) {
	a.seq++
	msg.Session, msg.Seq, msg.Cursor = a.session, a.seq, a.cursor
}

var errResync = errors.New("the tracker does not keep what it is told")

// waitFor says how long the tracker may hold the answer. News wants its
// acknowledgement at once. Progress comes back with more of it in a second.
func (a *Announcer) waitFor(u urgency) time.Duration {
	switch u {
	case news:
		return 0
	case progress:
		return progressEvery
	}
	return a.hold
}

// exchange sends msg and gives it up, with errNews, once there is something
// to tell that is not in it. The announce that tells it has the tracker answer this one
// too: it is left to that for a moment, since a call that is broken off takes its
// connection with it.
func (a *Announcer) exchange(ctx context.Context, msg api.Announce, u urgency) (api.Reply, error) {
	wait := a.waitFor(u)
	call, end := context.WithTimeout(ctx, wait+answerTime)
	result := make(chan answer, 1)
	a.calls.Go(func() {
		defer end()
		reply, err := a.tracker.Announce(call, msg)
		result <- answer{reply, err}
	})
	watched, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var watching sync.WaitGroup
	defer watching.Wait()
	if wait > 0 {
		watching.Go(func() { a.watch(watched, cancel, u) })
	}
	select {
	case r := <-result:
		cancel(nil)
		return r.Reply, r.error
	case <-watched.Done():
		select {
		case r := <-result: // at the same time
			if r.error == nil {
				return r.Reply, nil
			}
		default:
		}
		if ctx.Err() == nil {
			time.AfterFunc(parting, end)
		}
		return api.Reply{}, context.Cause(watched)
	}
}

// answer is what an announce came to.
type answer struct {
	api.Reply
	error
}

// watch ends a held announce when there is news, or, where the announce said
// nothing, progress.
func (a *Announcer) watch(ctx context.Context, cancel context.CancelCauseFunc, sent urgency) {
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.wake:
			sleep(ctx, settle)
			a.Wake() // where an answer has come meanwhile, it is still to be told
			cancel(errNews)
			return
		case <-tick.C:
			if sent != nothing {
				continue // it is answered within a second anyway
			}
			s := a.local.Snapshot()
			if _, u := a.ledger.delta(s); u != nothing || s.Lonely && time.Since(a.asked) >= askAgain {
				cancel(errNews)
				return
			}
		}
	}
}

func (a *Announcer) answered(msg api.Announce, reply api.Reply) {
	a.mu.Lock()
	recovered := a.status.Err != nil || a.status.Announces == 0
	a.status.Announces++
	a.status.Answered, a.status.Err = time.Now(), nil
	a.mu.Unlock()
	if recovered {
		a.log.Info("in touch with the tracker")
	}
	if !reply.Resync {
		if final := a.ledger.acknowledge(msg); len(final) > 0 {
			a.local.Delivered(final)
		}
	}
	a.local.Apply(reply)
	a.cursor = reply.Cursor
	if s := reply.Interval; s > 0 && s < longestHold.Seconds() {
		a.hold = max(time.Duration(s*float64(time.Second)), progressEvery)
	} else {
		a.hold = longestHold
	}
}

func (a *Announcer) failed(err error) {
	a.mu.Lock()
	refused := errors.Is(err, shoal.ErrInvalid) || errors.Is(err, shoal.ErrConflict)
	repeated := a.status.Err != nil && a.refused == refused // the wording may change from try to try
	a.refused = refused
	a.status.Failures++
	a.status.Err = err
	a.mu.Unlock()
	switch {
	case repeated:
	case refused:
		a.log.Error("the tracker refuses this node", "err", err)
	default:
		a.log.Warn("no tracker answers; what is under way goes on", "err", err)
	}
}

// leave is the last word: it carries what is still undelivered.
func (a *Announcer) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, leaveTime)
	defer cancel()
	msg, _ := a.ledger.delta(a.local.Snapshot())
	a.address(&msg)
	msg.Leaving = true
	if _, err := a.tracker.Announce(ctx, msg); err != nil {
		a.log.Info("left without telling the tracker", "err", err)
		return
	}
	if final := a.ledger.acknowledge(msg); len(final) > 0 {
		a.local.Delivered(final)
	}
}

// drain forgets a wake-up: what it was about is in the next snapshot.
func (a *Announcer) drain() {
	select {
	case <-a.wake:
	default:
	}
}

// idle sleeps unless there is news.
func (a *Announcer) idle(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	case <-a.wake:
	}
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
