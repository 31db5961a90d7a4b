package tracker

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/tracker/api"
)

const (
	torrentType = "application/x-bittorrent"
	pingTimeout = 2 * time.Second
)

// routes is all of the HTTP API in one place.
func (t *Tracker) routes(version string) (http.Handler, error) {
	mux := http.NewServeMux()
	cfg := huma.DefaultConfig("shoal tracker", version)
	// Bodies are exactly the types of package api, without links to schemas.
	cfg.CreateHooks = nil
	cfg.AllowAdditionalPropertiesByDefault = true
	cfg.Transformers = []huma.Transformer{asProblem}
	// The document is served below, since huma makes it at the first request
	// without a lock. A page to browse it would load a script from elsewhere.
	cfg.OpenAPIPath, cfg.DocsPath, cfg.SchemasPath = "", "", ""
	a := humago.New(mux, cfg)

	route(a, t, http.MethodPost, "/v1/announce", "announce", "A node's regular message", t.postAnnounce, limited(api.MaxAnnounceBytes, bodyTimeout))
	route(a, t, http.MethodGet, "/v1/nodes", "list-nodes", "Nodes in the order of their names", t.getNodes)
	route(a, t, http.MethodGet, "/v1/topology", "topology", "The lines between carriers, as nodes see them", t.getTopology)
	route(a, t, http.MethodGet, "/v1/where", "where", "Which carrier, region and site an address is in", t.getWhere)
	route(a, t, http.MethodGet, "/v1/ingest", "list-ingest", "Nodes that take uploads, the nearest first", t.getIngest)
	route(a, t, http.MethodGet, "/v1/contents", "list-contents", "Registered contents, newest first", t.getContents)
	route(a, t, http.MethodPut, "/v1/contents/{id}", "put-content", "Register a content by its .torrent file", t.putTorrent, limited(api.MaxTorrentBytes, torrentTimeout), t.uploadSlot)
	route(a, t, http.MethodGet, "/v1/contents/{id}", "get-content", "One content", t.getContent)
	route(a, t, http.MethodGet, "/v1/contents/{id}/torrent", "get-torrent", "A content's .torrent file", t.getTorrent, answers(torrentType))
	route(a, t, http.MethodGet, "/v1/contents/{id}/peers", "get-peers", "Peers for a node that is about to fetch a content", t.getPeers)
	route(a, t, http.MethodPost, "/v1/tasks", "create-task", "Distribute a content to nodes", t.postTask, limited(api.MaxTaskBytes, bodyTimeout), created)
	route(a, t, http.MethodGet, "/v1/tasks", "list-tasks", "The newest tasks, or those after one, without their sub-tasks", t.getTasks)
	route(a, t, http.MethodGet, "/v1/tasks/{task}", "get-task", "One task; with wait, once it has changed", t.getTask)
	route(a, t, http.MethodPatch, "/v1/tasks/{task}", "change-task", "Change the priority of a task that is not over", t.patchTask, limited(api.MaxTaskBytes, bodyTimeout))
	route(a, t, http.MethodPost, "/v1/tasks/{task}/cancel", "cancel-task", "Have a task's nodes give it up", t.postCancel)

	route(a, t, http.MethodPost, "/v1/leases", "lease", "Ask for an upstream", t.postLease, limited(api.MaxLeaseBytes, bodyTimeout))
	route(a, t, http.MethodDelete, "/v1/leases/{lease}", "return-lease", "Give a lease back", t.deleteLease)

	for _, own := range []string{"ErrorModel", "ErrorDetail"} { // huma's, which are never sent
		delete(a.OpenAPI().Components.Schemas.Map(), own)
	}
	doc, err := json.MarshalIndent(a.OpenAPI(), "", "  ")
	if err != nil {
		return nil, fmt.Errorf("OpenAPI document: %w", err)
	}
	mux.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/vnd.oai.openapi+json")
		_, _ = w.Write(doc) // the client is gone: nobody to tell
	})
	mux.Handle("GET /metrics", t.metrics.handler())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /readyz", t.ready)
	return guard(problems(mux)), nil
}

// ready answers 200 when the database does.
func (t *Tracker) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), pingTimeout)
	defer cancel()
	if err := t.db.Ping(ctx); err != nil {
		t.log.Error("not ready", "err", err)
		api.ProblemOf(err).Write(w)
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}

// route registers one operation.
func route[In, Out any](a huma.API, t *Tracker, method, path, id, summary string, h func(context.Context, *In) (*Out, error), opts ...func(*huma.Operation)) {
	op := huma.Operation{
		Method: method, Path: path, OperationID: id, Summary: summary,
		// The messages check themselves, with errors of one kind, and leave
		// alone fields that a newer client adds.
		SkipValidateBody: true,
		Responses: map[string]*huma.Response{"default": {
			Description: "Problem (RFC 9457)",
			Content: map[string]*huma.MediaType{api.ProblemType: {
				Schema: a.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[api.Problem](), true, ""),
			}},
		}},
	}
	for _, o := range opts {
		o(&op)
	}
	huma.Register(a, op, func(ctx context.Context, in *In) (*Out, error) {
		out, err := h(ctx, in)
		return out, failed(t.log, err)
	})
}

func limited(bytes int64, within time.Duration) func(*huma.Operation) {
	// huma refuses a body of the limit itself.
	return func(op *huma.Operation) { op.MaxBodyBytes, op.BodyReadTimeout = bytes+1, within }
}

func created(op *huma.Operation) { op.DefaultStatus = http.StatusCreated }

func answers(contentType string) func(*huma.Operation) {
	return func(op *huma.Operation) {
		op.Responses["200"] = &huma.Response{
			Description: "OK",
			Content:     map[string]*huma.MediaType{contentType: {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}},
		}
	}
}

// uploadSlot bounds how many .torrent files are in memory at a time, and how long
// each holds its place: clients that send slowly must not keep the others out.
func (t *Tracker) uploadSlot(op *huma.Operation) {
	op.Middlewares = append(op.Middlewares, func(ctx huma.Context, next func(huma.Context)) {
		wait := time.NewTimer(uploadWait)
		defer wait.Stop()
		select {
		case t.uploads <- struct{}{}:
			defer func() { <-t.uploads }()
			r, w := humago.Unwrap(ctx)
			r.Body = &hurried{r.Body, http.NewResponseController(w), time.Now().Add(uploadTime(r.ContentLength))}
			next(ctx)
		case <-wait.C:
			_, w := humago.Unwrap(ctx)
			api.ProblemOf(fmt.Errorf("%w: too many .torrent files are being registered", shoal.ErrUnavailable)).Write(w)
		case <-ctx.Context().Done():
		}
	})
}

// uploadTime is how long sending n bytes of a .torrent file may take; less than 0: a
// number that is not known.
func uploadTime(n int64) time.Duration {
	if n < 0 || n > api.MaxTorrentBytes {
		n = api.MaxTorrentBytes
	}
	return bodyTimeout + time.Duration(n)*time.Second/uploadRate
}

// hurried is a request's body that has to be read by a certain time.
type hurried struct {
	io.ReadCloser
	control *http.ResponseController
	until   time.Time
}

func (b *hurried) Read(p []byte) (int, error) {
	_ = b.control.SetReadDeadline(b.until) // a recorder in a test has none
	return b.ReadCloser.Read(p)
}

type (
	none        struct{}
	body[T any] struct{ Body T }
	announceIn  struct {
		Body   api.Announce
		source netip.Addr
	}
	taskIn    struct{ Body api.NewTask }
	contentIn struct {
		ID string `path:"id" doc:"64 hexadecimal digits" maxLength:"64"`
	}
	peersIn struct {
		ID   string `path:"id" doc:"64 hexadecimal digits" maxLength:"64"`
		Node string `query:"node" doc:"who asks" maxLength:"128"`
	}
	torrentIn struct {
		ID      string `path:"id" doc:"64 hexadecimal digits" maxLength:"64"`
		RawBody []byte `contentType:"application/x-bittorrent"`
	}
	torrentOut struct {
		Type string `header:"Content-Type"`
		Body []byte
	}
	tasksIn struct {
		Limit int    `query:"limit" default:"100" minimum:"1" maximum:"1000"`
		After string `query:"after" maxLength:"64" doc:"a task: the list begins with the next older one"`
	}
	oneTaskIn struct {
		Task string `path:"task" maxLength:"64"`
	}
	changeIn struct {
		Task string `path:"task" maxLength:"64"`
		Body api.TaskChange
	}
	watchIn struct {
		Task string  `path:"task" maxLength:"64"`
		Wait float64 `query:"wait" minimum:"0" maximum:"30" doc:"seconds to wait for a change"`
		Seen uint64  `query:"seen" doc:"the version that the client has"`
	}
	leaseIn    struct{ Body api.LeaseRequest }
	oneLeaseIn struct {
		Lease string `path:"lease" maxLength:"64"`
		Used  int64  `query:"used" minimum:"0" doc:"bytes read by the lease"`
	}
)

// Resolve implements [huma.Resolver].
func (in *announceIn) Resolve(ctx huma.Context) []error {
	from, _ := netip.ParseAddrPort(ctx.RemoteAddr()) // not known: no source
	in.source = from.Addr()
	return nil
}

func (t *Tracker) postAnnounce(ctx context.Context, in *announceIn) (*body[api.Reply], error) {
	reply, err := t.announce(ctx, &in.Body, in.source)
	return answer(reply, err)
}

func (t *Tracker) getNodes(context.Context, *none) (*body[[]api.Node], error) {
	return answer(t.nodes.Nodes(), nil)
}

func (t *Tracker) getContents(ctx context.Context, _ *none) (*body[[]api.Content], error) {
	return answerList(t.contents(ctx))
}

func (t *Tracker) putTorrent(ctx context.Context, in *torrentIn) (*body[api.Content], error) {
	id, err := shoal.ParseContentID(in.ID)
	if err != nil {
		return nil, err
	}
	return answer(t.putContent(ctx, id, in.RawBody))
}

func (t *Tracker) getContent(ctx context.Context, in *contentIn) (*body[api.Content], error) {
	id, err := shoal.ParseContentID(in.ID)
	if err != nil {
		return nil, err
	}
	return answer(t.content(ctx, id))
}

func (t *Tracker) getTorrent(ctx context.Context, in *contentIn) (*torrentOut, error) {
	id, err := shoal.ParseContentID(in.ID)
	if err != nil {
		return nil, err
	}
	torrent, err := t.db.Torrent(ctx, id)
	return &torrentOut{Type: torrentType, Body: torrent}, err
}

func (t *Tracker) getPeers(_ context.Context, in *peersIn) (*body[[]api.Peer], error) {
	id, err := shoal.ParseContentID(in.ID)
	if err != nil {
		return nil, err
	}
	node, err := shoal.ParseNodeID(in.Node)
	if err != nil {
		return nil, err
	}
	return answerList(t.nodes.Preview(node, id), nil)
}

func (t *Tracker) postTask(ctx context.Context, in *taskIn) (*body[api.Task], error) {
	return answer(t.createTask(ctx, time.Now(), in.Body))
}

func (t *Tracker) getTasks(ctx context.Context, in *tasksIn) (*body[[]api.Task], error) {
	return answerList(t.listTasks(ctx, time.Now(), in.Limit, in.After))
}

func (t *Tracker) getTask(ctx context.Context, in *watchIn) (*body[api.Task], error) {
	return answer(t.watchTask(ctx, in.Task, in.Seen, time.Duration(in.Wait*float64(time.Second))))
}

func (t *Tracker) patchTask(ctx context.Context, in *changeIn) (*body[api.Task], error) {
	return answer(t.changeTask(ctx, time.Now(), in.Task, in.Body))
}

func (t *Tracker) postCancel(ctx context.Context, in *oneTaskIn) (*body[api.Task], error) {
	return answer(t.cancelTask(ctx, time.Now(), in.Task))
}

func (t *Tracker) postLease(ctx context.Context, in *leaseIn) (*body[api.LeaseReply], error) {
	return answer(t.lease(ctx, time.Now(), &in.Body))
}

func (t *Tracker) deleteLease(_ context.Context, in *oneLeaseIn) (*none, error) {
	return nil, t.returnLease(time.Now(), in.Lease, in.Used)
}

func answer[T any](v T, err error) (*body[T], error) {
	if err != nil {
		return nil, err
	}
	return &body[T]{Body: v}, nil
}

// answerList is answer for a list, which is never null.
func answerList[T any](list []T, err error) (*body[[]T], error) {
	if list == nil {
		list = []T{}
	}
	return answer(list, err)
}
