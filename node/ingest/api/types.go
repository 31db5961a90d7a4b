package api

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/shoal-cdn/shoal"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// Bounds of the protocol. What exceeds one is refused.
const (
	MaxDescriptionBytes = 96 << 20                 // body of POST /v1/uploads
	MinChunkBytes       = shoal.MinPieceLength     // a chunk of an upload that has more than one
	MaxChunkBytes       = shoal.MaxPieceLength     // a chunk
	MaxChunks           = shoal.MaxPieces          // an upload
	MaxRequestBytes     = 256 << 20                // body of a PUT
	MaxUndigestedBytes  = 2 * shoal.MaxPieceLength // body of a PUT to an upload without torrent and digests
	MaxMissing          = 4096                     // runs in Missing; what lies behind them is told when they are here

	MinBodyBytes = 64 << 10         // of a body have to come
	MinBodyTime  = 30 * time.Second // in this time; the rest of a body may be less

	CompleteWait = 15 * time.Second // for which the answer of …/complete is held back
)

// Description is what is going to be uploaded (R1). Two descriptions of one task must be
// equal in all fields but for the web seeds in Torrent.
type Description struct {
	Task      string `json:"task"`       // chosen by the client; see [tapi.CheckTaskID]
	Name      string `json:"name"`       // of the file or folder: one path component, the torrent's where there is one
	Size      int64  `json:"size"`       // bytes, all files together
	ChunkSize int    `json:"chunk_size"` // bytes, from [MinChunkBytes] to [MaxChunkBytes]; the piece length where there is a torrent
	Chunks    int    `json:"chunks"`     // how many there are; the number of pieces where there is a torrent

	// Torrent is a .torrent file (BEP 52) with its piece layers; base64 in JSON.
	Torrent []byte `json:"torrent,omitempty"`

	// Digests has the SHA-256 of each chunk in hexadecimal digits. It goes without Torrent.
	Digests []Digest `json:"digests,omitempty"`

	// Distribute, unless nil, has the server create a task for the content (M10).
	Distribute *Distribute `json:"distribute,omitempty"`
}

// Distribute is a task for what is uploaded: of its task, ID and Content are empty. The
// ID becomes that of the upload. The task is created as soon as the tracker can be
// told of the content: with a torrent while the upload is running, else at its end.
// With a Dest, "all" stands for every live node but those that take uploads: what they
// host stays where it is. Nodes that are named are taken as they are.
type Distribute struct {
	tapi.NewTask
	// When is "" or [AtComplete]: not before the upload is complete.
	When string `json:"when,omitempty"`
}

// AtComplete is a value of Distribute.When.
const AtComplete = "complete"

// State is that of an upload.
type State string

const (
	Receiving State = "receiving" // chunks are missing, or nobody has completed it
	Verifying State = "verifying" // being completed
	Complete  State = "complete"  // all of it is here, verified and served
	Failed    State = "failed"    // it cannot be completed on this server: Error says why
)

// Status is what a server has of an upload.
type Status struct {
	Task     string `json:"task"`
	State    State  `json:"state"`
	Name     string `json:"name"`
	Size     int64  `json:"size"` // bytes
	Chunks   int    `json:"chunks"`
	Next     int    `json:"next"`     // the lowest chunk that is not here; Chunks where all are
	Missing  []Run  `json:"missing"`  // chunks that are not here, in order; at most [MaxMissing] runs
	Received int64  `json:"received"` // bytes of the chunks that are here

	Content     string    `json:"content"`               // its ID, 64 hexadecimal digits; "" while it is not known
	Expires     time.Time `json:"expires,omitzero"`      // when it is deleted unless there is progress; zero once it is complete
	Server      string    `json:"server"`                // the name of the node that answers
	Error       string    `json:"error,omitempty"`       // why it failed, or what the tracker does not accept about it
	Distributed bool      `json:"distributed,omitempty"` // the tracker has taken the task of Distribute, whose ID is Task
}

// Ack says that chunks are on stable storage.
type Ack struct {
	Next    int   `json:"next"`    // as in Status
	Missing []Run `json:"missing"` // of the chunks in the request's path; empty where the status is 200
}

// Run is consecutive chunks; in JSON it is [first, count].
type Run struct{ First, Count int }

// MarshalJSON implements [json.Marshaler].
func (r Run) MarshalJSON() ([]byte, error) { return json.Marshal([2]int{r.First, r.Count}) }

// UnmarshalJSON implements [json.Unmarshaler]. Negative numbers are [shoal.ErrInvalid].
func (r *Run) UnmarshalJSON(b []byte) error {
	var v []int
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	if len(v) != 2 || v[0] < 0 || v[1] < 0 {
		return fmt.Errorf("run of chunks: %w: want [first, count]", shoal.ErrInvalid)
	}
	*r = Run{v[0], v[1]}
	return nil
}
