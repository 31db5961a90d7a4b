package uploadtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/netprobe"
	"github.com/shoal-cdn/shoal/node/ingest/api"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// Server is an ingest server. The zero value is not ready: see [New]. It is safe
// for concurrent use.
type Server struct {
	Name string

	// Full has it refuse chunks as a server does whose disk is full.
	Full atomic.Bool
	// Received counts the bytes of chunks' bodies.
	Received atomic.Int64
	// OnChunks, unless nil, is called before a request's body is read; an
	// answer other than 0 is the status that the request is refused with.
	OnChunks func(r *http.Request) int

	mux *http.ServeMux

	mu      sync.Mutex // guards uploads
	uploads map[string]*upload
}

type upload struct {
	description api.Description
	manifest    *shoal.Manifest
	chunks      map[int][]byte
	state       api.State
}

// New returns a server without uploads.
func New(name string) *Server {
	s := &Server{Name: name, mux: http.NewServeMux(), uploads: map[string]*upload{}}
	s.mux.Handle(netprobe.Endpoint, netprobe.NewHandler(netprobe.HandlerConfig{}))
	s.mux.HandleFunc("POST "+api.Path, s.describe)
	s.mux.HandleFunc("GET "+api.Path+"/{task}", s.status)
	s.mux.HandleFunc("DELETE "+api.Path+"/{task}", s.delete)
	s.mux.HandleFunc("PUT "+api.Path+"/{task}/chunks/{range}", s.put)
	s.mux.HandleFunc("POST "+api.Path+"/{task}/complete", s.complete)
	return s
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// Data is what the server holds of an upload, chunk after chunk, and the
// description; false where it is not complete.
func (s *Server) Data(task string) ([]byte, api.Description, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.uploads[task]
	if u == nil {
		return nil, api.Description{}, false
	}
	var data []byte
	for k := range u.description.Chunks {
		data = append(data, u.chunks[k]...)
	}
	return data, u.description, u.state == api.Complete
}

// Tasks are the IDs of the uploads.
func (s *Server) Tasks() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var tasks []string
	for id := range s.uploads {
		tasks = append(tasks, id)
	}
	return tasks
}

func (s *Server) describe(w http.ResponseWriter, r *http.Request) {
	var d api.Description
	if err := json.NewDecoder(io.LimitReader(r.Body, api.MaxDescriptionBytes)).Decode(&d); err != nil {
		refuse(w, fmt.Errorf("description: %w: %w", shoal.ErrInvalid, err))
		return
	}
	m, err := shoal.DecodeManifest(d.Torrent)
	if err == nil && (tapi.CheckTaskID(d.Task) != nil || m.NumPieces() != d.Chunks || m.Size() != d.Size || m.Name() != d.Name) {
		err = fmt.Errorf("description: %w: it is not that of the torrent", shoal.ErrInvalid)
	}
	if err != nil {
		refuse(w, err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.uploads[d.Task]
	if u == nil {
		u = &upload{description: d, manifest: m, chunks: map[int][]byte{}, state: api.Receiving}
		s.uploads[d.Task] = u
	} else if u.manifest.ID() != m.ID() {
		refuse(w, fmt.Errorf("upload %s: %w: another content has this task", d.Task, shoal.ErrConflict))
		return
	}
	answer(w, http.StatusOK, s.statusOf(u))
}

// find returns an upload with mu held; it answers where there is none.
func (s *Server) find(w http.ResponseWriter, r *http.Request) (*upload, func()) {
	s.mu.Lock()
	u := s.uploads[r.PathValue("task")]
	if u == nil {
		s.mu.Unlock()
		refuse(w, fmt.Errorf("upload: %w", shoal.ErrNotFound))
		return nil, nil
	}
	return u, s.mu.Unlock
}

func (s *Server) status(w http.ResponseWriter, r *http.Request) {
	if u, unlock := s.find(w, r); u != nil {
		defer unlock()
		answer(w, http.StatusOK, s.statusOf(u))
	}
}

func (s *Server) delete(w http.ResponseWriter, r *http.Request) {
	if u, unlock := s.find(w, r); u != nil {
		defer unlock()
		delete(s.uploads, r.PathValue("task"))
		w.WriteHeader(http.StatusNoContent)
	}
}

func (s *Server) complete(w http.ResponseWriter, r *http.Request) {
	u, unlock := s.find(w, r)
	if u == nil {
		return
	}
	defer unlock()
	if missing := u.missing(); len(missing) > 0 {
		p := api.ProblemOf(fmt.Errorf("complete: %w: chunks are missing", shoal.ErrConflict))
		p.Next, p.Missing = missing[0].First, missing
		p.Write(w)
		return
	}
	u.state = api.Complete
	answer(w, http.StatusOK, s.statusOf(u))
}

func (s *Server) put(w http.ResponseWriter, r *http.Request) {
	if s.OnChunks != nil {
		if status := s.OnChunks(r); status != 0 {
			api.ProblemOf(tapi.ProblemOfStatus(status, "refused by the test")).Write(w)
			return
		}
	}
	u, unlock := s.find(w, r)
	if u == nil {
		return
	}
	unlock()
	text, last, ok := strings.Cut(r.PathValue("range"), "-")
	first, err := strconv.Atoi(text)
	end := first + 1
	if ok && err == nil {
		end, err = strconv.Atoi(last)
		end++
	}
	if err != nil || first < 0 || end <= first || end > u.description.Chunks {
		refuse(w, fmt.Errorf("chunks: %w", shoal.ErrInvalid))
		return
	}
	if s.Full.Load() {
		p := &api.Problem{Problem: tapi.Problem{Title: "Insufficient Storage", Status: http.StatusInsufficientStorage, Detail: "no space left on device", Kind: "unavailable"}}
		p.Write(w)
		return
	}
	s.receive(w, r, u, first, end)
}

// receive keeps each chunk as soon as it is whole.
func (s *Server) receive(w http.ResponseWriter, r *http.Request, u *upload, first, end int) {
	var all bytes.Buffer
	var refused []api.Run
	for k := first; k < end; k++ {
		data := make([]byte, u.manifest.PieceSize(k))
		n, err := io.ReadFull(r.Body, data)
		s.Received.Add(int64(n))
		if err != nil {
			refuse(w, fmt.Errorf("chunk %d: %w: %w", k, shoal.ErrInvalid, err))
			return
		}
		all.Write(data)
		if !u.manifest.VerifyPiece(k, data) {
			refused = append(refused, api.Run{First: k, Count: 1})
			continue
		}
		s.mu.Lock()
		u.chunks[k] = data
		s.mu.Unlock()
	}
	d, err := api.ParseField(r.Header.Get(api.ContentDigest))
	if len(refused) > 0 || err != nil || d != digest(all.Bytes()) {
		p := api.ProblemOf(fmt.Errorf("chunks %d to %d: %w: wrong digest", first, end-1, shoal.ErrCorrupt))
		p.Refused = refused
		p.Write(w)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	answer(w, http.StatusOK, api.Ack{Next: s.statusOf(u).Next, Missing: []api.Run{}})
}
