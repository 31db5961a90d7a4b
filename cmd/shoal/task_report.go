package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

// taskReport is a task as --json prints it; every key is always there.
type taskReport struct {
	Task       string          `json:"task"`
	State      api.State       `json:"state"`
	Seconds    float64         `json:"seconds"`
	Efficiency *float64        `json:"efficiency"` // fluid bound / seconds; null while it cannot be known
	Content    shoal.ContentID `json:"content"`
	Name       string          `json:"name"`
	Size       int64           `json:"size"` // bytes
	Pieces     int             `json:"pieces"`
	Dest       string          `json:"dest"`
	Limits     api.Limits      `json:"limits"`
	Priority   api.Priority    `json:"priority"`
	Created    time.Time       `json:"created"`
	Nodes      []subTaskReport `json:"nodes"`
}

type subTaskReport struct {
	Node    string      `json:"node"`
	State   api.State   `json:"state"`
	Queued  bool        `json:"queued"` // pending since the node carries out others first
	Seconds float64     `json:"seconds"`
	Error   string      `json:"error"` // "" while there is none
	Pieces  int         `json:"pieces"`
	Bytes   api.Bytes   `json:"bytes"`
	Why     api.Why     `json:"why"` // seconds
	Faults  []api.Fault `json:"faults"`
}

func newTaskReport(t api.Task) taskReport {
	r := taskReport{
		Task: t.ID, State: t.State, Seconds: t.Seconds, Efficiency: t.Efficiency,
		Content: t.Content, Name: t.Name, Size: t.Size, Pieces: t.Pieces, Dest: t.Dest, Limits: t.Limits, Priority: t.Priority, Created: t.Created,
		Nodes: make([]subTaskReport, len(t.Nodes)),
	}
	for i, n := range t.Nodes {
		faults := n.Faults
		if faults == nil {
			faults = []api.Fault{}
		}
		r.Nodes[i] = subTaskReport{
			Node: n.Node, State: n.State, Queued: n.Queued, Seconds: n.Seconds, Error: n.Error,
			Pieces: n.Pieces, Bytes: n.Bytes, Why: n.Why, Faults: faults,
		}
	}
	return r
}

// taskText is the head of a task shown in full.
func taskText(t api.Task) string {
	var b strings.Builder
	fmt.Fprintf(&b, "task        %s, %s", t.ID, t.State)
	if t.Seconds > 0 {
		fmt.Fprintf(&b, " after %s", secondsText(t.Seconds))
	}
	fmt.Fprintf(&b, "\ncontent     %s (%s, %s)\n", printable(t.Name), t.Content.Short(), bytesText(t.Size))
	if t.Dest != "" {
		fmt.Fprintf(&b, "destination %s\n", printable(t.Dest))
	}
	if t.Priority != api.NormalPriority {
		fmt.Fprintf(&b, "priority    %v\n", t.Priority)
	}
	if !t.Limits.IsZero() {
		fmt.Fprintf(&b, "limits      %s\n", limitsText(t.Limits))
	}
	if t.Efficiency != nil {
		fmt.Fprintf(&b, "efficiency  %.2f of what the links allow\n", *t.Efficiency)
	}
	return b.String()
}

func subTasksTable(w io.Writer, t api.Task) error {
	tab := newTable(w, "NODE", "STATE", "DONE", "TIME", "ORIGIN", "PEERS", "CROSS-CARRIER", "UPSTREAM", "WASTED", "REMARK")
	for _, n := range t.Nodes {
		tab.row(n.Node, string(n.State), percentText(int64(n.Pieces), int64(t.Pieces)), secondsText(n.Seconds),
			bytesText(n.Bytes.Origin), bytesText(n.Bytes.Peers), bytesText(n.Bytes.CrossCarrier),
			bytesText(n.Bytes.Upstream), bytesText(n.Bytes.Wasted), remark(n))
	}
	return tab.flush()
}

// whyTable says where each node's seconds went (B2).
func whyTable(w io.Writer, t api.Task) error {
	tab := newTable(w, "NODE", "TIME", "QUEUED", "FULL RATE", "NO PEER", "SLOW PEER", "LEASE", "UPSTREAM", "DISK", "LIMIT")
	for _, n := range t.Nodes {
		tab.row(n.Node, secondsText(n.Seconds), secondsText(n.Why.Queued), secondsText(n.Why.Active), secondsText(n.Why.NoPeer), secondsText(n.Why.SlowPeer),
			secondsText(n.Why.Lease), secondsText(n.Why.Upstream), secondsText(n.Why.Disk), secondsText(n.Why.Limit))
	}
	return tab.flush()
}

// queuedText is why a sub-task has not begun though its node has it.
const queuedText = "queued: the node carries out others first"

// remark is what it waits for, the error, and who misbehaved.
func remark(n api.SubTask) string {
	var parts []string
	if n.Queued {
		parts = append(parts, queuedText)
	}
	if n.Error != "" {
		parts = append(parts, n.Error)
	}
	for _, f := range n.Faults {
		name := f.Name
		if name == "" {
			name = f.Peer.Short()
		}
		parts = append(parts, fmt.Sprintf("%s: %s ×%d", name, cmp.Or(f.Reason, f.Kind), f.Count))
	}
	return strings.Join(parts, "; ")
}

func tasksTable(w io.Writer, tasks []api.Task) error {
	tab := newTable(w, "TASK", "STATE", "PRIORITY", "CONTENT", "NAME", "SIZE", "NODES", "TIME", "CREATED")
	for _, t := range tasks {
		tab.row(t.ID, string(t.State), t.Priority.String(), t.Content.Short(), t.Name, bytesText(t.Size),
			countsText(t.Counts), secondsText(t.Seconds), ago(time.Now(), t.Created))
	}
	return tab.flush()
}

// countsText is "3 succeeded, 1 failed"; states nobody is in are left away.
func countsText(counts map[api.State]int) string {
	states := []api.State{api.Pending, api.Running, api.Succeeded, api.Failed, api.Cancelled}
	var parts []string
	for _, s := range states {
		if n := counts[s]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s))
		}
	}
	return strings.Join(parts, ", ")
}
