//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/shoal-cdn/shoal/internal/lab"
)

// trial is one run of a scenario with a tool.
type trial struct {
	scenario scenario
	network  network
	driver   driver
	contents []content

	began    time.Time     // when the first orders were given
	mu       sync.Mutex    // guards the fields below
	arrived  []time.Time   // when each node's order was given, by node
	finished [][]time.Time // when each node had each content, by node and content

	progress progress // of a scenario with a line: written by one goroutine, and read after it
}

// startAtOnce bounds how many nodes are started at the same time.
const startAtOnce = 4

// run is a trial from the start of the processes to the last copy that is
// waited for. It returns what was measured up to then; the copies are not
// verified yet.
func (t *trial) run(ctx context.Context) (result, error) {
	s := t.scenario
	if err := t.driver.startOrigin(ctx, t.network.origin); err != nil {
		return result{}, fmt.Errorf("start the origin: %w", err)
	}
	starts, startCtx := errgroup.WithContext(ctx)
	starts.SetLimit(startAtOnce)
	for i, m := range t.network.nodes {
		if !s.nodes[i].joins {
			starts.Go(func() error { return t.driver.startNode(startCtx, m) })
		}
	}
	if err := starts.Wait(); err != nil {
		return result{}, fmt.Errorf("start nodes: %w", err)
	}

	ctx, cancel := context.WithTimeout(ctx, s.patience())
	defer cancel()
	before, err := t.measure()
	if err != nil {
		return result{}, err
	}
	t.began = time.Now()
	t.arrived = make([]time.Time, len(s.nodes))
	t.finished = make([][]time.Time, len(s.nodes))
	for i := range t.finished {
		t.finished[i] = make([]time.Time, s.contents)
	}
	g, ctx := errgroup.WithContext(ctx)
	ctx, done := context.WithCancel(ctx)
	defer done()
	for _, e := range s.plan() {
		g.Go(func() error { return t.do(ctx, e) })
	}
	if s.line != nil {
		g.Go(func() error { return t.sample(ctx) })
	}
	g.Go(func() error {
		defer done() // what is planned for later doesn't matter any more
		return t.watch(ctx)
	})
	err = g.Wait()
	after, measureErr := t.measure()
	if err = errors.Join(err, measureErr); err != nil {
		return result{}, err
	}
	return t.result(before, after), nil
}

// do is one event of the plan, when its time has come.
func (t *trial) do(ctx context.Context, e event) error {
	select {
	case <-ctx.Done():
		return nil // the watch says what happened
	case <-time.After(time.Until(t.began.Add(e.at))):
	}
	var ms []member
	for _, i := range e.nodes {
		ms = append(ms, t.network.nodes[i])
	}
	switch e.kind {
	case loseTCP:
		return t.network.blockTCP(ctx)
	case changes:
		return t.network.changeRoads(*t.scenario.mesh, e.at)
	case leaves:
		return t.kill(ms)
	case joins:
		for _, m := range ms {
			if err := t.driver.startNode(ctx, m); err != nil && ctx.Err() == nil {
				return fmt.Errorf("start %s: %w", m.name, err)
			}
		}
	}
	t.mu.Lock()
	now := time.Now()
	for _, i := range e.nodes {
		t.arrived[i] = now
	}
	t.mu.Unlock()
	if err := t.driver.fetch(ctx, ms); err != nil && ctx.Err() == nil {
		return fmt.Errorf("give orders: %w", err)
	}
	return nil
}

func (t *trial) kill(ms []member) error {
	for _, m := range ms {
		for _, p := range t.driver.processes(m) {
			if err := p.Kill(); err != nil {
				return err
			}
		}
	}
	return nil
}

// watch notes when markers appear, until all that are waited for are there, or a line's limit
// is reached.
func (t *trial) watch(ctx context.Context) error {
	tick := time.NewTicker(lookEvery / 2)
	defer tick.Stop()
	var limit <-chan time.Time
	if l := t.scenario.line; l != nil {
		limit = time.After(l.limit)
	}
	for {
		missing, err := t.look()
		if err != nil || missing == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d copies missing after %.1f s: %w", missing, time.Since(t.began).Seconds(), ctx.Err())
		case <-limit:
			return nil
		case <-tick.C:
		}
	}
}

// look counts the copies that are waited for and not there yet. A process that
// failed is an error, rather than to be waited for.
func (t *trial) look() (missing int, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, m := range t.network.nodes {
		if t.scenario.nodes[i].aside {
			continue
		}
		for j, c := range t.contents {
			if !t.finished[i][j].IsZero() {
				continue
			}
			there := false
			if !t.arrived[i].IsZero() {
				if there, err = exists(t.driver.marker(m, c)); err != nil {
					return 0, err
				}
			}
			if there {
				t.finished[i][j] = time.Now()
				continue
			}
			missing++
			if err := failed(t.driver.processes(m)); err != nil {
				return missing, err
			}
		}
	}
	return missing, failed(t.driver.processes(t.network.origin))
}

func failed(ps []*lab.Process) error {
	for _, p := range ps {
		if err := p.Err(); err != nil {
			tail, _ := p.LogTail(5)
			return fmt.Errorf("%w: %s", err, tail)
		}
	}
	return nil
}

// verify compares all copies that were waited for, and came, with the originals.
func (t *trial) verify(ctx context.Context) error {
	for i, m := range t.network.nodes {
		if t.scenario.nodes[i].aside {
			continue
		}
		for j, c := range t.contents {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if t.finished[i][j].IsZero() {
				continue
			}
			if err := c.verify(t.driver.output(m, c)); err != nil {
				return fmt.Errorf("verify %s: %w", m.name, err)
			}
		}
	}
	return nil
}
