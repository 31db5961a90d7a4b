//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// setting is what a tool's trials of a scenario have in common.
type setting struct {
	scenario scenario
	contents []content
	tool     tool
	stage    stage // without tracker and folder
	work     string
	discard  func(dir string) error // removes the folder of a run that went well
}

// try runs one trial in a lab of its own, and verifies the copies. The folder of
// a failed one is kept: it is named in the error.
func (s setting) try(ctx context.Context) (_ result, err error) {
	dir, err := os.MkdirTemp(s.work, s.scenario.name+"-"+s.tool.name+"-")
	if err != nil {
		return result{}, err
	}
	defer func() {
		if err != nil && ctx.Err() == nil {
			err = fmt.Errorf("%w (its files: %s)", err, dir)
			return
		}
		err = errors.Join(err, s.discard(dir))
	}()
	n, err := build(s.scenario)
	if n.lab != nil {
		defer func() { err = errors.Join(err, n.lab.Close()) }()
	}
	if err != nil {
		return result{}, err
	}
	if s.scenario.line != nil {
		if err := n.plainTCP(ctx); err != nil {
			return result{}, err
		}
	}
	stage := s.stage
	stage.scenario, stage.dir, stage.tracker, stage.contents = s.scenario, dir, n.tracker, s.contents
	d, err := s.tool.open(stage)
	if err != nil {
		return result{}, err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	t := &trial{scenario: s.scenario, network: n, driver: d, contents: s.contents}
	r, err := t.run(ctx)
	if err == nil {
		err = t.keepBooks(ctx, &r)
	}
	if err != nil {
		return r, err
	}
	return r, t.verify(ctx)
}

// leavings are the folders of runs that are over. Those of a scenario with many files
// are removed when all its runs are: ext4 does not give out the inode of a file that was
// deleted in the last minutes, and passes by all such inodes whenever it looks for a free
// one, so that each run would pay for the files of those before it.
type leavings struct {
	many bool
	dirs []string
}

func (l *leavings) discard(dir string) error {
	if !l.many {
		return os.RemoveAll(dir)
	}
	l.dirs = append(l.dirs, dir)
	return nil
}

func (l *leavings) remove() (err error) {
	for _, dir := range l.dirs {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	return err
}
