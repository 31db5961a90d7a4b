package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/api"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

const (
	maxBody      = 64 << 10 // of a request, in bytes
	headerTime   = 5 * time.Second
	requestTime  = 30 * time.Second // to read a request, and to write an answer that is no stream
	idleTime     = 2 * time.Minute
	shutdownTime = 3 * time.Second // for requests under way when the node stops
)

// listen takes the API's address.
func (n *Node) listen(ctx context.Context) error {
	if n.cfg.HTTP == "" {
		return nil
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", n.cfg.HTTP)
	if err != nil {
		return fmt.Errorf("HTTP API: %w", err)
	}
	n.listener = l
	n.release = append(n.release, func() error {
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil // the server did
	})
	return nil
}

// serve serves the API until ctx ends.
func (n *Node) serve(ctx context.Context) error {
	if n.listener == nil {
		<-ctx.Done()
		return nil
	}
	srv := &http.Server{
		Handler:           n.handler(),
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       requestTime,
		IdleTimeout:       idleTime,
		BaseContext:       func(net.Listener) context.Context { return ctx }, // ends streams with the node
	}
	stopped := make(chan struct{})
	defer func() { <-stopped }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	context.AfterFunc(ctx, func() {
		defer close(stopped)
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
		defer cancel()
		if srv.Shutdown(grace) != nil {
			_ = srv.Close() // whoever did not let go by now is cut off
		}
	})
	if err := srv.Serve(n.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("HTTP API: %w", err)
	}
	return nil
}

// handler is the API that package node/api describes.
func (n *Node) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", n.getStatus)
	mux.HandleFunc("GET /v1/contents", n.getContents)
	mux.HandleFunc("GET /v1/contents/{id}", n.getContent)
	mux.HandleFunc("POST /v1/contents", n.postContent)
	mux.HandleFunc("DELETE /v1/contents/{id}", n.deleteContent)
	mux.HandleFunc("POST /v1/seeds", n.postSeed)
	mux.Handle("GET /metrics", n.metrics())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", n.getReady)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		tapi.ProblemOfStatus(http.StatusNotFound, fmt.Sprintf("%s %s: no such operation", r.Method, r.URL.Path)).Write(w)
	})
	// A page in an operator's browser must not steer the node.
	guarded := http.NewCrossOriginProtection().Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(requestTime)) // a recorder in a test has none
		guarded.ServeHTTP(w, r)
	})
}

func (n *Node) getStatus(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, n.Status()) }

// Status is the node's picture of itself.
func (n *Node) Status() api.Status {
	s := api.Status{
		Node: n.info(), Uptime: time.Since(n.started).Seconds(),
		Contents: n.library.Len(), Peers: n.hub.PeerCount(),
	}
	if n.announcer.Status().Err == nil {
		s.Tracker = n.tracker.Last()
	}
	s.Down, s.Up = n.hub.Rates()
	return s
}

// getReady answers once the node serves. The tracker is no condition: a node
// without one still serves its peers.
func (n *Node) getReady(w http.ResponseWriter, _ *http.Request) {
	st := n.announcer.Status()
	ready := struct {
		Ready   bool      `json:"ready"`
		Tracker string    `json:"tracker"`          // as in Status
		Contact time.Time `json:"contact,omitzero"` // when a tracker answered last
		Error   string    `json:"error,omitempty"`  // why none does
	}{Ready: true, Contact: st.Answered}
	if st.Err != nil {
		ready.Error = st.Err.Error()
	} else {
		ready.Tracker = n.tracker.Last()
	}
	reply(w, http.StatusOK, ready)
}

func (n *Node) getContents(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, n.library.Contents())
}

func (n *Node) getContent(w http.ResponseWriter, r *http.Request) {
	id, err := shoal.ParseContentID(r.PathValue("id"))
	if err != nil {
		n.refuse(w, r, err)
		return
	}
	c, err := n.library.Content(id)
	if err != nil {
		n.refuse(w, r, err)
		return
	}
	reply(w, http.StatusOK, c)
}

func (n *Node) postContent(w http.ResponseWriter, r *http.Request) {
	var f api.Fetch
	err := decode(r, &f)
	if err == nil && f.Content.IsZero() {
		err = fmt.Errorf("fetch: %w: no content", shoal.ErrInvalid)
	}
	if err == nil {
		_, err = n.library.Want(f.Content, f.Dest, true)
	}
	var c api.Content
	if err == nil {
		c, err = n.library.Content(f.Content)
	}
	if err != nil {
		n.refuse(w, r, err)
		return
	}
	reply(w, http.StatusAccepted, c)
}

func (n *Node) deleteContent(w http.ResponseWriter, r *http.Request) {
	id, err := shoal.ParseContentID(r.PathValue("id"))
	if err == nil {
		_, err = n.library.Content(id)
	}
	if err == nil {
		n.tasks.Settle(id, fmt.Errorf("%w: the content was removed from the node", shoal.ErrCancelled))
		err = n.library.Remove(id)
	}
	if err != nil {
		n.refuse(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// decode reads a request's JSON body to its end: only then does the server
// notice a caller that goes away.
func decode(r *http.Request, v any) error {
	b, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil && !errors.Is(err, shoal.ErrInvalid) {
		err = fmt.Errorf("%w: %v", shoal.ErrInvalid, err)
	}
	if err != nil {
		return fmt.Errorf("request body: %w", err)
	}
	return nil
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the other side is gone: nobody to tell
}

// refuse answers with a problem. What is of no kind that a caller can act on
// is not told in full (tapi.ProblemOf), so it is logged.
func (n *Node) refuse(w http.ResponseWriter, r *http.Request, err error) {
	p := tapi.ProblemOf(err)
	if p.Status >= http.StatusInternalServerError {
		n.log.Error("request failed", "method", r.Method, "path", r.URL.Path, "err", err)
	}
	p.Write(w)
}
