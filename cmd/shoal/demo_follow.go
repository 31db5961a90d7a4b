package main

import (
	"cmp"
	"context"
	"time"

	nodeapi "github.com/shoal-cdn/shoal/node/api"
	"github.com/shoal-cdn/shoal/tracker/api"
)

const (
	crashAt    = 40                      // percent of the content at which the victim is killed
	crashDelay = 1500 * time.Millisecond // between the kill and the restart
	memberPoll = 100 * time.Millisecond
)

// crash is the kill of a node and what it had at that time.
type crash struct {
	Node       string  `json:"node"`
	Percent    float64 `json:"percent"`
	PiecesHeld int     `json:"pieces_held"`
}

// view is what the display knows of a member.
type view struct {
	content nodeapi.Content
	note    string // what the demo does to it; "" while it is left alone
}

// follow shows the task until it ends. Progress is read from the nodes
// themselves, which is fresher than what they have told the tracker.
func (c *cluster) follow(task api.Task, d display) (api.Task, *crash, error) {
	type result struct {
		task api.Task
		err  error
	}
	ended := make(chan result, 1)
	go func() {
		t, err := awaitTask(c.ctx, c.tracker, task.ID, silent{})
		ended <- result{t, err}
	}()
	views := make([]view, len(c.nodes))
	victim := victim{member: c.nodes[len(c.nodes)/2], view: &views[len(c.nodes)/2]}
	poll := time.NewTicker(memberPoll)
	defer poll.Stop()
	for {
		select {
		case r := <-ended:
			if r.err == nil {
				d.show(taskGauges(r.task))
			}
			return r.task, victim.crash, r.err
		case now := <-poll.C:
			c.look(task, views)
			if err := victim.step(c, now, d); err != nil {
				return task, victim.crash, err
			}
			d.show(demoGauges(task, c.nodes, views))
		}
	}
}

// look asks every node how far it is. One that does not answer, or has not
// begun, stays as it was.
func (c *cluster) look(task api.Task, views []view) {
	for i, m := range c.nodes {
		ctx, cancel := context.WithTimeout(c.ctx, time.Second)
		ct, err := m.api.Content(ctx, task.Content)
		restarting := views[i].note == noteRestarting
		switch {
		case err != nil, restarting && ct.PiecesHeld == 0: // it still looks at what it has
		case restarting:
			views[i] = view{ct, noteResumed}
		default:
			views[i].content = ct
		}
		cancel()
	}
}

const (
	noteKilled     = "killed"
	noteRestarting = "restarting"
	noteResumed    = "resumed"
)

// victim is the node to crash.
type victim struct {
	member *member
	view   *view
	crash  *crash
	due    time.Time // of the restart
}

// step kills the victim when it is far enough, and restarts it later.
func (v *victim) step(c *cluster, now time.Time, d display) (err error) {
	ct := v.view.content
	switch {
	case v.crash == nil:
		if ct.Pieces == 0 || ct.Role != api.Fetcher || 100*ct.PiecesHeld < crashAt*ct.Pieces {
			return nil
		}
		v.member.process.kill()
		v.crash = &crash{Node: v.member.name, Percent: percent(int64(ct.PiecesHeld), int64(ct.Pieces)), PiecesHeld: ct.PiecesHeld}
		v.due, v.view.note = now.Add(crashDelay), noteKilled
		d.say("%s killed with SIGKILL at %s", v.member.name, percentText(int64(ct.PiecesHeld), int64(ct.Pieces)))
	case v.view.note == noteKilled && !now.Before(v.due):
		if v.member.process, err = c.start(v.member.name, v.member.args...); err != nil {
			return err
		}
		v.view.note = noteRestarting
		d.say("%s restarted", v.member.name)
	}
	return nil
}

func demoGauges(task api.Task, members []*member, views []view) []gauge {
	gauges := make([]gauge, len(members))
	for i, m := range members {
		ct := views[i].content
		state := "waiting"
		switch {
		case ct.Error != "":
			state = ct.Error
		case ct.Role == api.Fetcher:
			state = "fetching"
		case ct.Role != "":
			state = "complete"
		}
		if state == "complete" && views[i].note == noteResumed {
			views[i].note = ""
		}
		gauges[i] = gauge{name: m.name, total: task.Size, note: cmp.Or(views[i].note, state), ended: state == "complete"}
		if ct.Pieces > 0 {
			gauges[i].done = estimate(task.Size, ct.PiecesHeld, ct.Pieces)
		}
	}
	return gauges
}

// silent is the display of somebody who looks elsewhere.
type silent struct{}

func (silent) show([]gauge)       {}
func (silent) say(string, ...any) {}
func (silent) close()             {}
