package main

import (
	"fmt"
	"path/filepath"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// demoReport is the demo's result as --json prints it.
type demoReport struct {
	Content      shoal.ContentID `json:"content"`
	Name         string          `json:"name"`
	Size         int64           `json:"size"` // bytes
	Task         string          `json:"task"`
	State        api.State       `json:"state"`
	Identical    bool            `json:"identical"` // every copy is what was seeded
	Seconds      float64         `json:"seconds"`
	Efficiency   *float64        `json:"efficiency"`
	Rate         float64         `json:"rate"`          // bytes/s that arrived, all nodes together
	OriginSent   int64           `json:"origin_sent"`   // bytes
	OriginCopies float64         `json:"origin_copies"` // OriginSent over Size
	Crash        *crash          `json:"crash"`         // null where the victim was done before it could be killed
	Nodes        []demoNode      `json:"nodes"`
}

type demoNode struct {
	subTaskReport
	Identical  bool   `json:"identical"`
	Difference string `json:"difference,omitempty"` // the first one
}

// newDemoReport reads every copy from disk and compares it with what was seeded.
func newDemoReport(c *cluster, run *demoRun, want digest) (*demoReport, error) {
	t := newTaskReport(run.task)
	r := &demoReport{
		Content: t.Content, Name: t.Name, Size: t.Size, Task: t.Task, State: t.State, Identical: true,
		Seconds: t.Seconds, Efficiency: t.Efficiency, OriginSent: run.origin.Sent, Crash: run.crash,
		Nodes: make([]demoNode, len(c.nodes)),
	}
	if t.Seconds > 0 {
		r.Rate = float64(t.Size) * float64(len(t.Nodes)) / t.Seconds
	}
	if t.Size > 0 {
		r.OriginCopies = float64(r.OriginSent) / float64(t.Size)
	}
	parts := map[string]subTaskReport{}
	for _, n := range t.Nodes {
		parts[n.Node] = n
	}
	group, ctx := errgroup.WithContext(c.ctx)
	group.SetLimit(runtime.NumCPU())
	for i, m := range c.nodes {
		group.Go(func() error {
			n := demoNode{subTaskReport: parts[m.name]}
			got, err := digestOf(ctx, filepath.Join(m.data, "files", run.seeded.Name))
			if err != nil {
				n.Difference = err.Error()
			} else {
				n.Difference = want.difference(got)
			}
			n.Identical = n.Difference == ""
			r.Nodes[i] = n
			return ctx.Err()
		})
	}
	if err := group.Wait(); err != nil {
		return nil, c.failed("compare", run.seeded.Name, err)
	}
	for _, n := range r.Nodes {
		r.Identical = r.Identical && n.Identical
	}
	return r, nil
}

// verdict is an error unless every copy is identical.
func (r *demoReport) verdict() error {
	if r.State != api.Succeeded {
		return failed(demoOp, r.Name, fmt.Errorf("the task %s", r.State))
	}
	for _, n := range r.Nodes {
		if !n.Identical {
			return failed(demoOp, n.Node, fmt.Errorf("%w: its copy differs: %s", shoal.ErrCorrupt, n.Difference))
		}
	}
	return nil
}

func (r *demoReport) print(a *app, asJSON bool) error {
	if asJSON {
		return printJSON(a.stdout, r)
	}
	fmt.Fprintln(a.stdout)
	t := newTable(a.stdout, "NODE", "STATE", "TIME", "FROM ORIGIN", "FROM PEERS", "WASTED", "SHA-256", "REMARK")
	for _, n := range r.Nodes {
		sum, remark := "identical", n.Error
		if !n.Identical {
			sum, remark = "DIFFERENT", n.Difference
		}
		if r.Crash != nil && r.Crash.Node == n.Node && remark == "" {
			remark = fmt.Sprintf("killed at %d%%, resumed", int(r.Crash.Percent))
		}
		t.row(n.Node, string(n.State), secondsText(n.Seconds), share(n.Bytes.Origin, r.Size), share(n.Bytes.Peers, r.Size),
			bytesText(n.Bytes.Wasted), sum, remark)
	}
	if err := t.flush(); err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "\n%s (%s) on %s in %s: %s/s together, the origin sent %.2f copies",
		printable(r.Name), bytesText(r.Size), plural(len(r.Nodes), "node"), secondsText(r.Seconds), bytesText(int64(r.Rate)), r.OriginCopies)
	if r.Efficiency != nil {
		fmt.Fprintf(a.stdout, ", %.0f%% of what the links allow", 100**r.Efficiency)
		if r.Crash != nil {
			fmt.Fprint(a.stdout, " (with the crash)")
		}
	}
	_, err := fmt.Fprintln(a.stdout)
	return err
}

// share is an amount and how much of the content that is.
func share(n, size int64) string {
	return fmt.Sprintf("%s (%s)", bytesText(n), percentText(n, size))
}
