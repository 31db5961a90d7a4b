package main

import (
	"context"
	"fmt"

	nodeapi "github.com/shoal-cdn/shoal/node/api"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// runDemo is the whole story, in order.
func runDemo(ctx context.Context, a *app, o demoOptions) (err error) {
	dir, cleanUp, err := demoDir(o.dir)
	if err != nil {
		return err
	}
	say := func(format string, args ...any) { fmt.Fprintf(a.stderr, format+"\n", args...) }
	defer func() { cleanUp(err == nil || interrupted(ctx), say) }()

	source, want, err := demoSource(ctx, a, dir, o)
	if err != nil {
		return err
	}
	c, err := startCluster(ctx, dir, o.nodes, o.rate)
	defer func() {
		c.stop()
		if err != nil && !interrupted(ctx) {
			printTail(a.stderr, err)
		}
	}()
	if err != nil {
		return err
	}
	say("tracker, origin and %s run in %s", plural(o.nodes, "node"), dir)

	run, err := distribute(ctx, a, c, source)
	if err != nil {
		return err
	}
	r, err := newDemoReport(c, run, want)
	if err != nil {
		return err
	}
	if err := r.print(a, o.json); err != nil {
		return err
	}
	if err := r.verdict(); err != nil || o.exit {
		return err
	}
	c.invite(a.stderr, run.seeded.Content)
	<-c.ctx.Done()
	if ctx.Err() != nil {
		return nil // the user was asked to end it
	}
	return c.failed("stay", "", context.Cause(c.ctx))
}

// demoRun is what a distribution brought to light.
type demoRun struct {
	seeded nodeapi.Seeded
	task   api.Task
	origin nodeapi.Content // as it was at the end
	crash  *crash          // nil where the victim was done before it could be killed
}

// distribute seeds the source at the origin, has all nodes fetch it and
// crashes one of them on the way.
func distribute(ctx context.Context, a *app, c *cluster, source string) (*demoRun, error) {
	d := newDisplay(ctx, a.stderr)
	defer d.close()
	seeded, err := c.origin.api.Seed(c.ctx, source, func(hashed, total int64) {
		d.show([]gauge{{name: c.origin.name, done: hashed, total: total, note: "hashing"}})
	})
	if err != nil {
		return nil, c.failed("seed", source, err)
	}
	d.show([]gauge{{name: c.origin.name, done: seeded.Size, total: seeded.Size, note: "seeding", ended: true}})

	if err := c.announced(seeded.Content); err != nil {
		return nil, c.failed("wait for the origin's announce", "", err)
	}
	task, err := c.tracker.CreateTask(c.ctx, api.NewTask{Content: seeded.Content, Nodes: c.names()})
	if err != nil {
		return nil, c.failed("create task", "", err)
	}
	run := &demoRun{seeded: seeded}
	if run.task, run.crash, err = c.follow(task, d); err != nil {
		return nil, c.failed("distribute", seeded.Name, err)
	}
	if run.origin, err = c.origin.api.Content(c.ctx, seeded.Content); err != nil {
		return nil, c.failed("ask the origin", "", err)
	}
	return run, nil
}
