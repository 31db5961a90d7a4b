package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/shoal-cdn/shoal"
	nodeapi "github.com/shoal-cdn/shoal/node/api"
	"github.com/shoal-cdn/shoal/tracker/api"
)

var (
	testID   = shoal.ContentID{0xab, 0xcd, 0xef, 0x01}
	testTime = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
)

// fakeTracker knows one content, two nodes, and a task for each outcome.
func fakeTracker() http.Handler {
	contents := []api.Content{
		{ID: testID, Name: "image.iso", Size: 64 << 20, Files: 1, Pieces: 2048, PieceLength: 32 << 10, Created: testTime, Origins: 1, Holders: 2,
			WebSeeds: []string{"https://h.example/image.iso?a=1,2"}},
		{ID: shoal.ContentID{0xab, 0xcd, 0xef, 0x02}, Name: "evil\tname\x1b[2J", Size: 1, Files: 1, Pieces: 1, PieceLength: 32 << 10, Created: testTime},
	}
	eff := 0.8
	tasks := map[string]api.Task{
		"good": {ID: "good", Content: testID, Name: "image.iso", Size: 64 << 20, Pieces: 2048, State: api.Succeeded,
			Created: testTime, Seconds: 28.1, Efficiency: &eff, Counts: map[api.State]int{api.Succeeded: 1},
			Nodes: []api.SubTask{{Node: "edge-1", State: api.Succeeded, Seconds: 27.5, Pieces: 2048,
				Bytes: api.Bytes{Origin: 60 << 20, Peers: 4 << 20, Wasted: 1024}, Why: api.Why{Active: 25, SlowPeer: 2.5}}}},
		"bad": {ID: "bad", Content: testID, Name: "image.iso", Size: 64 << 20, Pieces: 2048, State: api.Failed,
			Created: testTime, Seconds: 3, Counts: map[api.State]int{api.Failed: 1, api.Succeeded: 1},
			Nodes: []api.SubTask{
				{Node: "edge-1", State: api.Succeeded, Seconds: 2, Pieces: 2048},
				{Node: "edge-2", State: api.Failed, Seconds: 3, Pieces: 10, Error: "write piece 11: no space left on device",
					Faults: []api.Fault{{Peer: "12D3KooWabcdefgh", Name: "edge-1", Kind: "corrupt", Count: 2}, {Name: "http://h.example/f", Kind: api.UpstreamFault, Reason: "status 404 Not Found", Count: 1}}},
			}},
		"limited": {ID: "limited", Content: testID, Name: "image.iso", Size: 64 << 20, Pieces: 2048, State: api.Succeeded, Created: testTime,
			Limits: api.Limits{EgressCopies: 2, EgressRate: 6_250_000, Carriers: map[string]api.CarrierLimit{"AS2": {EgressCopies: 4, EgressRate: 2_500_000}, "AS1": {EgressCopies: 1}}}},
		"queued": {ID: "queued", Content: testID, Name: "image.iso", Size: 64 << 20, Pieces: 2048, State: api.Running, Priority: -3,
			Created: testTime, Counts: map[api.State]int{api.Pending: 2},
			Nodes: []api.SubTask{{Node: "edge-1", State: api.Pending, Queued: true, Seconds: 90, Why: api.Why{Queued: 90}}, {Node: "edge-2", State: api.Pending}}},
		"slow": {ID: "slow", Content: testID, Name: "image.iso", Size: 64 << 20, Pieces: 2048, State: api.Running,
			Created: testTime, Counts: map[api.State]int{api.Running: 1},
			Nodes: []api.SubTask{{Node: "edge-1", State: api.Running, Pieces: 512}}},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/contents", func(w http.ResponseWriter, _ *http.Request) { answer(w, contents) })
	mux.HandleFunc("GET /v1/nodes", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, []api.Node{
			{NodeInfo: api.NodeInfo{ID: "12D3KooWabcdefgh", Name: "edge-1", Up: 2500000, Locality: shoal.Locality{Carrier: "AS1", Region: "north"}}, Alive: true, Seen: testTime},
			{NodeInfo: api.NodeInfo{ID: "12D3KooWijklmnop", Name: "edge-2", Gateway: []string{"https://198.18.0.2:7074"}}, Seen: testTime},
		})
	})
	mux.HandleFunc("GET /v1/topology", func(w http.ResponseWriter, _ *http.Request) {
		loss := 0.009
		answer(w, api.Topology{Carriers: []string{"AS1", "evil\tname\x1b[2J"}, Paths: []api.PathSeen{
			{From: "AS1", To: "evil\tname\x1b[2J", RTT: 61.42, Loss: &loss, Goodput: 2_250_000, Bytes: 16 << 20, Age: 2, Nodes: 1},
			{From: "evil\tname\x1b[2J", To: "AS1", RTT: 0.31, Bytes: 1 << 20},
		}})
	})
	mux.HandleFunc("GET /v1/tasks", func(w http.ResponseWriter, _ *http.Request) { answer(w, []api.Task{tasks["good"], tasks["bad"]}) })
	mux.HandleFunc("POST /v1/tasks", func(w http.ResponseWriter, r *http.Request) {
		var n api.NewTask
		if err := json.NewDecoder(r.Body).Decode(&n); err != nil || n.Content != testID {
			api.ProblemOf(shoal.ErrInvalid).Write(w)
			return
		}
		t, ok := tasks[n.Dest] // the destination picks the outcome
		if !ok {
			t = tasks["good"]
		}
		t.Limits, t.Priority = n.Limits, n.Priority
		answer(w, t)
	})
	mux.HandleFunc("GET /v1/tasks/{id}", func(w http.ResponseWriter, r *http.Request) {
		t, ok := tasks[r.PathValue("id")]
		if !ok {
			api.ProblemOfStatus(http.StatusNotFound, "no such task").Write(w)
			return
		}
		if t.State == api.Running && r.FormValue("wait") != "" && r.FormValue("seen") != "0" {
			<-r.Context().Done() // held: nothing new
			return
		}
		t.Version = 1
		answer(w, t)
	})
	mux.HandleFunc("PATCH /v1/tasks/{id}", func(w http.ResponseWriter, r *http.Request) {
		var c api.TaskChange
		t, ok := tasks[r.PathValue("id")]
		switch err := json.NewDecoder(r.Body).Decode(&c); {
		case !ok:
			api.ProblemOfStatus(http.StatusNotFound, "no such task").Write(w)
		case err != nil || c.Check() != nil:
			api.ProblemOf(shoal.ErrInvalid).Write(w)
		case t.State.Final():
			api.ProblemOf(shoal.ErrConflict).Write(w)
		default:
			t.Priority = *c.Priority
			answer(w, t)
		}
	})
	mux.HandleFunc("POST /v1/tasks/{id}/cancel", func(w http.ResponseWriter, r *http.Request) {
		t := tasks[r.PathValue("id")]
		t.State = api.Cancelled
		answer(w, t)
	})
	return mux
}

// fakeNode hashes what is called image.iso, also at a URL, and refuses
// everything else.
func fakeNode() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/seeds", func(w http.ResponseWriter, r *http.Request) {
		var s nodeapi.Seed
		if json.NewDecoder(r.Body).Decode(&s) != nil || !strings.HasSuffix(s.Path+s.URL, "/image.iso") {
			api.ProblemOfStatus(http.StatusNotFound, "no such file").Write(w)
			return
		}
		enc := json.NewEncoder(w)
		done := nodeapi.Seeded{Content: testID, Name: "image.iso", Size: 64 << 20, Pieces: 2048, PieceLength: 32 << 10}
		if s.URL != "" {
			if strings.Contains(s.URL, "broken") {
				_ = enc.Encode(nodeapi.SeedEvent{Error: "download: gave up at byte 7: \x1b[2J", Kind: "unavailable"})
				return
			}
			_ = enc.Encode(nodeapi.SeedEvent{Note: "trying again: connection reset"})
			done.Name, done.Warning = s.Name, strings.Join(s.WebSeeds, " and ")
		}
		_ = enc.Encode(nodeapi.SeedEvent{Hashed: 32 << 20, Total: 64 << 20})
		_ = enc.Encode(nodeapi.SeedEvent{Done: &done})
	})
	return mux
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}
