package uploads

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/ingest/api"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

const recordVersion = 1

// defaultChunk is the chunk size for who describes none, in bytes.
const defaultChunk = 4 << 20

// record is description.json: an [api.Description] with the torrent's content ID in its place.
type record struct {
	Version    int              `json:"version"`
	Task       string           `json:"task"`
	Name       string           `json:"name"`
	Size       int64            `json:"size"`
	ChunkSize  int              `json:"chunk_size"`
	Chunks     int              `json:"chunks"`
	Content    *shoal.ContentID `json:"content,omitempty"`
	Digests    []api.Digest     `json:"digests,omitempty"`
	Distribute *api.Distribute  `json:"distribute,omitempty"`
	Created    time.Time        `json:"created,omitzero"`
}

// plan checks a description and fills in what follows from the rest of it. m is nil
// without a torrent. The error is of kind [shoal.ErrInvalid].
func plan(d *api.Description) (r record, m *shoal.Manifest, err error) {
	if err := tapi.CheckTaskID(d.Task); err != nil {
		return r, nil, err
	}
	bad := func(format string, args ...any) (record, *shoal.Manifest, error) {
		return record{}, nil, fmt.Errorf("upload %s: %w: %s", d.Task, shoal.ErrInvalid, fmt.Sprintf(format, args...))
	}
	r = record{
		Version: recordVersion, Task: d.Task, Name: d.Name, Size: d.Size, ChunkSize: d.ChunkSize, Chunks: d.Chunks,
		Digests: d.Digests, Distribute: d.Distribute,
	}
	if len(d.Torrent) > 0 {
		if m, err = shoal.DecodeManifest(d.Torrent); err != nil {
			return record{}, nil, fmt.Errorf("upload %s: %w", d.Task, err)
		}
		r.fill(m)
	}
	if r.ChunkSize == 0 {
		r.ChunkSize = defaultChunk
	}
	if err := r.checkShape(); err != nil {
		return bad("%v", err)
	}
	count := (r.Size-1)/int64(r.ChunkSize) + 1
	if r.Size == 0 {
		count = 0
	}
	switch {
	case m != nil:
		if r.Name != m.Name() || r.Size != m.Size() || r.ChunkSize != m.PieceLength() || r.Chunks != m.NumPieces() {
			return bad("name, size, chunk size or chunks are not those of the torrent")
		}
		if len(r.Digests) > 0 {
			return bad("want a torrent or digests, not both")
		}
	case count > api.MaxChunks:
		return bad("%d chunks of %d bytes: want at most %d", count, r.ChunkSize, api.MaxChunks)
	case r.Chunks != 0 && int64(r.Chunks) != count:
		return bad("%d chunks of %d bytes for %d bytes: want %d", r.Chunks, r.ChunkSize, r.Size, count)
	default:
		r.Chunks = int(count)
		if _, err := shoal.NewFileHasher(r.Name); err != nil {
			return record{}, nil, fmt.Errorf("upload %s: %w", d.Task, err)
		}
		if len(r.Digests) != 0 && len(r.Digests) != r.Chunks {
			return bad("%d digests for %d chunks", len(r.Digests), r.Chunks)
		}
	}
	if err := checkDistribute(r.Distribute); err != nil {
		return record{}, nil, fmt.Errorf("upload %s: distribute: %w", d.Task, err)
	}
	return r, m, nil
}

// fill takes from the torrent what the description leaves out.
func (r *record) fill(m *shoal.Manifest) {
	if r.Name == "" {
		r.Name = m.Name()
	}
	if r.Size == 0 {
		r.Size = m.Size()
	}
	if r.ChunkSize == 0 {
		r.ChunkSize = m.PieceLength()
	}
	if r.Chunks == 0 {
		r.Chunks = m.NumPieces()
	}
	id := m.ID()
	r.Content = &id
}

// checkShape keeps what is computed from the numbers from overflowing.
func (r *record) checkShape() error {
	switch {
	case r.Size < 0 || r.Chunks < 0 || r.ChunkSize < 0:
		return fmt.Errorf("negative size")
	case r.Size > int64(r.ChunkSize) && r.ChunkSize < api.MinChunkBytes:
		return fmt.Errorf("chunks of %d bytes: want at least %d, or one for all", r.ChunkSize, api.MinChunkBytes)
	case r.ChunkSize > api.MaxChunkBytes:
		return fmt.Errorf("chunks of %d bytes: want at most %d", r.ChunkSize, api.MaxChunkBytes)
	case r.Size > int64(api.MaxChunks)*api.MaxChunkBytes:
		return fmt.Errorf("%d bytes: no upload can have so many", r.Size)
	}
	return nil
}

func checkDistribute(d *api.Distribute) error {
	switch {
	case d == nil:
		return nil
	case d.ID != "" || !d.Content.IsZero():
		return fmt.Errorf("%w: its task and content are those of the upload", shoal.ErrInvalid)
	case d.When != "" && d.When != api.AtComplete:
		return fmt.Errorf("%w: when is %q: want nothing or %q", shoal.ErrInvalid, d.When, api.AtComplete)
	case len(d.Nodes) == 0 || len(d.Nodes) > tapi.MaxNames:
		return fmt.Errorf("%w: %d nodes: want 1 to %d", shoal.ErrInvalid, len(d.Nodes), tapi.MaxNames)
	}
	return d.Check()
}

// key identifies what is described, by whomever and whenever.
func (r record) key() ([sha256.Size]byte, error) {
	r.Created = time.Time{}
	b, err := json.Marshal(r)
	return sha256.Sum256(b), err
}

// decodeRecord reads description.json and finds what no [plan] would have made.
func decodeRecord(task string, b []byte) (record, error) {
	var r record
	if err := json.Unmarshal(b, &r); err != nil {
		return record{}, fmt.Errorf("%w: %v", shoal.ErrCorrupt, err)
	}
	if r.Version != recordVersion || r.Task != task {
		return record{}, fmt.Errorf("%w: version %d of task %q", shoal.ErrCorrupt, r.Version, r.Task)
	}
	d := api.Description{
		Task: r.Task, Name: r.Name, Size: r.Size, ChunkSize: r.ChunkSize, Chunks: r.Chunks, Digests: r.Digests, Distribute: r.Distribute,
	}
	if r.Content != nil {
		// The torrent, which the caller reads, has the last word.
		if err := r.checkShape(); err != nil || r.Chunks > api.MaxChunks || r.ChunkSize == 0 || len(r.Digests) > 0 {
			return record{}, fmt.Errorf("%w: no such content", shoal.ErrCorrupt)
		}
		return r, nil
	}
	if _, _, err := plan(&d); err != nil || r.ChunkSize == 0 {
		return record{}, fmt.Errorf("%w: %v", shoal.ErrCorrupt, err)
	}
	return r, nil
}

// DecodeDescription reads the body of POST /v1/uploads. The error is of kind [shoal.ErrInvalid].
func DecodeDescription(b []byte) (*api.Description, error) {
	var d api.Description
	dec := json.NewDecoder(bytes.NewReader(b))
	if err := dec.Decode(&d); err != nil {
		return nil, fmt.Errorf("description: %w: %v", shoal.ErrInvalid, err)
	}
	if _, _, err := plan(&d); err != nil {
		return nil, err
	}
	return &d, nil
}
