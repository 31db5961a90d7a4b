package api

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/shoal-cdn/shoal"
)

// Announce reports to the tracker and returns its answer, which may take
// a.Wait. A node that has something new to say cancels ctx, or just announces
// again: the tracker then answers the older one at once.
func (c *Client) Announce(ctx context.Context, a Announce) (Reply, error) {
	return call[Reply](ctx, c, request{op: "announce", method: http.MethodPost, path: "/v1/announce", patient: waitTime(a.Wait)}, a)
}

// PutContent registers a content by its .torrent file. Repeating it does no harm.
func (c *Client) PutContent(ctx context.Context, torrent []byte) (Content, error) {
	m, err := shoal.DecodeManifest(torrent)
	if err != nil {
		return Content{}, fmt.Errorf("register content: %w", err)
	}
	return call[Content](ctx, c, request{
		op: "register content " + m.ID().Short(), method: http.MethodPut, path: contentPath(m.ID()),
		ctype: "application/x-bittorrent", body: torrent, patient: bodyTimeout,
	}, nil)
}

// Torrent returns a content's .torrent file. It is not verified: see [shoal.DecodeManifest].
func (c *Client) Torrent(ctx context.Context, id shoal.ContentID) ([]byte, error) {
	return c.do(ctx, request{
		op: "fetch torrent " + id.Short(), method: http.MethodGet, path: contentPath(id) + "/torrent", patient: bodyTimeout,
	})
}

// Peers returns peers for a content that a live node has not begun to fetch. None is
// no error.
func (c *Client) Peers(ctx context.Context, id shoal.ContentID, node shoal.NodeID) ([]Peer, error) {
	return call[[]Peer](ctx, c, request{
		op: "find peers for " + id.Short(), method: http.MethodGet, path: contentPath(id) + "/peers?node=" + url.QueryEscape(string(node)),
	}, nil)
}

// Content returns one registered content.
func (c *Client) Content(ctx context.Context, id shoal.ContentID) (Content, error) {
	return call[Content](ctx, c, request{op: "content " + id.Short(), method: http.MethodGet, path: contentPath(id)}, nil)
}

// Contents returns the registered contents, newest first.
func (c *Client) Contents(ctx context.Context) ([]Content, error) {
	return call[[]Content](ctx, c, request{op: "list contents", method: http.MethodGet, path: "/v1/contents"}, nil)
}

// Nodes returns the nodes the tracker knows, in the order of their names.
func (c *Client) Nodes(ctx context.Context) ([]Node, error) {
	return call[[]Node](ctx, c, request{op: "list nodes", method: http.MethodGet, path: "/v1/nodes"}, nil)
}

// CreateTask starts a distribution. Where t.ID is empty it is filled in, so
// that a second try at another tracker cannot make a second task.
func (c *Client) CreateTask(ctx context.Context, t NewTask) (Task, error) {
	if t.ID == "" {
		t.ID = NewTaskID()
	}
	return call[Task](ctx, c, request{op: "create task", method: http.MethodPost, path: "/v1/tasks"}, t)
}

// NewTaskID returns a random ID for a task.
func NewTaskID() string { return strings.ToLower(rand.Text()[:12]) }

// Tasks returns a page of the tasks, newest first and without their sub-tasks:
// those after the task of an ID, or of "" the newest. It holds at most limit, 1 to
// [MaxPage].
func (c *Client) Tasks(ctx context.Context, after string, limit int) ([]Task, error) {
	if after != "" {
		if err := CheckTaskID(after); err != nil {
			return nil, fmt.Errorf("list tasks: %w", err)
		}
	}
	path := fmt.Sprintf("/v1/tasks?limit=%d&after=%s", limit, after)
	return call[[]Task](ctx, c, request{op: "list tasks", method: http.MethodGet, path: path}, nil)
}

// Task returns one task with its sub-tasks.
func (c *Client) Task(ctx context.Context, id string) (Task, error) {
	return c.task(ctx, id, request{op: "task", method: http.MethodGet}, nil)
}

// WatchTask is a long poll: it returns the task as soon as its Version
// differs from seen or it is in a final state, or as it is after wait (at
// most [MaxWait]).
func (c *Client) WatchTask(ctx context.Context, id string, seen uint64, wait time.Duration) (Task, error) {
	query := fmt.Sprintf("?seen=%d&wait=%g", seen, waitTime(wait.Seconds()).Seconds())
	return c.task(ctx, id, request{op: "watch task", method: http.MethodGet, path: query, patient: MaxWait}, nil)
}

// CancelTask asks for a task to be cancelled and returns it as it then is;
// its sub-tasks end when their nodes say so. Cancelling a cancelled task does
// no harm; one that ended otherwise is [shoal.ErrConflict].
func (c *Client) CancelTask(ctx context.Context, id string) (Task, error) {
	return c.task(ctx, id, request{op: "cancel task", method: http.MethodPost, path: "/cancel"}, nil)
}

// ChangeTask changes a task and returns it as it then is. Repeating it does no harm; a task that
// is over is [shoal.ErrConflict].
func (c *Client) ChangeTask(ctx context.Context, id string, change TaskChange) (Task, error) {
	return c.task(ctx, id, request{op: "change task", method: http.MethodPatch}, change)
}

// task is a call on one task; r.path is what follows the task's own path, and in is as for [call].
func (c *Client) task(ctx context.Context, id string, r request, in any) (Task, error) {
	if err := CheckTaskID(id); err != nil {
		return Task{}, fmt.Errorf("%s: %w", r.op, err)
	}
	r.path = "/v1/tasks/" + id + r.path
	return call[Task](ctx, c, r, in)
}

// Lease asks for an upstream, or for more time on one. A refusal is no error:
// see [LeaseReply]. A node that isn't known in the session is
// [shoal.ErrConflict]: it announces and tries again.
func (c *Client) Lease(ctx context.Context, r LeaseRequest) (LeaseReply, error) {
	return call[LeaseReply](ctx, c, request{op: "lease " + r.Content.Short(), method: http.MethodPost, path: "/v1/leases"}, r)
}

// ReturnLease gives a lease back by which used bytes were read. One that
// isn't there any more is no error.
func (c *Client) ReturnLease(ctx context.Context, id string, used int64) error {
	if err := CheckLeaseID(id); err != nil {
		return fmt.Errorf("return lease: %w", err)
	}
	_, err := c.do(ctx, request{op: "return lease", method: http.MethodDelete, path: fmt.Sprintf("/v1/leases/%s?used=%d", id, max(used, 0))})
	return err
}

func contentPath(id shoal.ContentID) string { return "/v1/contents/" + id.String() }

// waitTime is how long the tracker may hold an answer back.
func waitTime(seconds float64) time.Duration {
	return time.Duration(min(max(seconds, 0), MaxWait.Seconds()) * float64(time.Second))
}
