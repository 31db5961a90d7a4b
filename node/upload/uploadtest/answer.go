package uploadtest

import (
	"crypto/sha256"
	"encoding/json"
	"net/http"

	"github.com/shoal-cdn/shoal/node/ingest/api"
)

// statusOf is called with mu held.
func (s *Server) statusOf(u *upload) api.Status {
	st := api.Status{
		Task: u.description.Task, State: u.state, Name: u.description.Name, Size: u.description.Size,
		Chunks: u.description.Chunks, Next: u.description.Chunks, Missing: u.missing(),
		Content: u.manifest.ID().String(), Server: s.Name,
	}
	if len(st.Missing) > 0 {
		st.Next = st.Missing[0].First
	}
	for _, c := range u.chunks {
		st.Received += int64(len(c))
	}
	return st
}

// missing lists the chunks that are not here, as many runs as there may be.
func (u *upload) missing() []api.Run {
	runs := []api.Run{}
	for k := range u.description.Chunks {
		if _, ok := u.chunks[k]; ok {
			continue
		}
		if n := len(runs); n > 0 && runs[n-1].First+runs[n-1].Count == k {
			runs[n-1].Count++
		} else if n == api.MaxMissing {
			break
		} else {
			runs = append(runs, api.Run{First: k, Count: 1})
		}
	}
	return runs
}

func digest(b []byte) api.Digest { return sha256.Sum256(b) }

func refuse(w http.ResponseWriter, err error) { api.ProblemOf(err).Write(w) }

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client left
}
