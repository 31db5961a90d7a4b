package netprobe

import (
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/shoal-cdn/shoal"
)

// Endpoint is where a gateway mounts a [Handler], below its base URL.
const Endpoint = "/v1/probe"

// HandlerConfig bounds what probes cost the server. Zero values are defaults.
type HandlerConfig struct {
	MaxBytes shoal.Size    // of one request; default 32 MiB
	MaxTime  time.Duration // of one request; default 10 s
	Parallel int           // requests with data at once; default 8
}

// Handler answers probes; the package comment has the protocol. It is safe for
// concurrent use. Its server's [http.ResponseWriter] must let it set deadlines
// (see [http.ResponseController]).
type Handler struct {
	maxBytes int64
	maxTime  time.Duration
	slots    chan struct{}
	block    []byte
}

// received is the answer to a POST.
type received struct {
	Bytes   int64   `json:"bytes"`
	Seconds float64 `json:"seconds"`
}

// NewHandler returns a handler within the given bounds.
func NewHandler(c HandlerConfig) *Handler {
	return &Handler{
		maxBytes: int64(cmp.Or(c.MaxBytes, 32<<20)),
		maxTime:  cmp.Or(c.MaxTime, 10*time.Second),
		slots:    make(chan struct{}, cmp.Or(c.Parallel, 8)),
		block:    newBlock(),
	}
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store, no-transform")
	sentOn(r.Context()).setHeader(w.Header())
	switch r.Method {
	case http.MethodGet:
		h.get(w, r)
	case http.MethodPost:
		h.slot(w, func() { h.post(w, r) })
	default:
		w.Header().Set("Allow", "GET, POST")
		http.Error(w, "want GET or POST", http.StatusMethodNotAllowed)
	}
}

// slot calls f unless enough requests with data are under way.
func (h *Handler) slot(w http.ResponseWriter, f func()) {
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
		f()
	default:
		w.Header().Set("Retry-After", "1")
		http.Error(w, "enough probes are under way", http.StatusServiceUnavailable)
	}
}

func (h *Handler) get(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	n, err := strconv.ParseInt(cmp.Or(q.Get("bytes"), "0"), 10, 64)
	if err != nil || n < 0 || n > h.maxBytes {
		http.Error(w, "bytes: want 0 to "+strconv.FormatInt(h.maxBytes, 10), http.StatusBadRequest)
		return
	}
	span := h.maxTime
	if q.Has("ms") {
		ms, err := strconv.ParseUint(q.Get("ms"), 10, 31)
		if err != nil {
			http.Error(w, "ms: want a number of milliseconds", http.StatusBadRequest)
			return
		}
		span = min(span, time.Duration(ms)*time.Millisecond)
	}
	if n == 0 {
		w.WriteHeader(http.StatusOK)
		return
	}
	h.slot(w, func() { h.send(w, n, span) })
}

// chunkBytes is what a download writes at a time: little enough for the time
// to be kept on slow paths.
const chunkBytes = 32 << 10

func (h *Handler) send(w http.ResponseWriter, n int64, span time.Duration) {
	start := time.Now()
	if err := http.NewResponseController(w).SetWriteDeadline(start.Add(h.maxTime)); err != nil {
		http.Error(w, "the time cannot be bounded", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	for at := 0; n > 0 && time.Since(start) < span; {
		chunk := h.block[at : at+chunkBytes]
		sent, err := w.Write(chunk[:min(n, chunkBytes)])
		if err != nil {
			// The client left, or is too slow. It must not take what it has
			// for everything.
			panic(http.ErrAbortHandler)
		}
		n -= int64(sent)
		at = (at + chunkBytes) % len(h.block)
	}
}

func (h *Handler) post(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	if err := http.NewResponseController(w).SetReadDeadline(start.Add(h.maxTime)); err != nil {
		http.Error(w, "the time cannot be bounded", http.StatusInternalServerError)
		return
	}
	n, err := discard(r.Body, h.maxBytes+1)
	took := time.Since(start)
	switch {
	case n > h.maxBytes:
		http.Error(w, "body: want at most "+strconv.FormatInt(h.maxBytes, 10)+" bytes", http.StatusRequestEntityTooLarge)
	case isTimeout(err):
		http.Error(w, "the body took too long", http.StatusRequestTimeout)
	case err != nil:
		http.Error(w, "the body broke off", http.StatusBadRequest)
	default:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(received{Bytes: n, Seconds: took.Seconds()}) // the client left
	}
}

// discard reads at most n bytes of r.
func discard(r io.Reader, n int64) (int64, error) {
	// Larger than io.Copy's, which would cost a fast sender more of our CPU.
	type onlyWriter struct{ io.Writer }
	return io.CopyBuffer(onlyWriter{io.Discard}, io.LimitReader(r, n), make([]byte, 64<<10))
}
