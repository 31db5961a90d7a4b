package gateway

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"

	"github.com/shoal-cdn/shoal"
)

// Listing is the list of a content's files, in the manifest's order.
type Listing struct {
	Content     shoal.ContentID `json:"content"`
	Name        string          `json:"name"`
	Folder      bool            `json:"folder"`
	Size        int64           `json:"size"`         // bytes, of all files
	PieceLength int             `json:"piece_length"` // bytes
	Files       []ListedFile    `json:"files"`
}

// ListedFile is one file of a [Listing].
type ListedFile struct {
	Path       string `json:"path"` // what follows files/ in the URL, before escaping
	Size       int64  `json:"size"` // bytes
	Executable bool   `json:"executable,omitempty"`
}

// serveList answers with a [Listing], which it writes file by file: there may be a
// million of them.
func serveList(a *answer, r *http.Request, m *shoal.Manifest) error {
	head, err := json.Marshal(Listing{
		Content: m.ID(), Name: m.Name(), Folder: m.IsFolder(), Size: m.Size(), PieceLength: m.PieceLength(),
		Files: []ListedFile{},
	})
	if err != nil {
		return err
	}
	h := a.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", immutable)
	h.Set("X-Content-Type-Options", "nosniff")
	a.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	w := bufio.NewWriterSize(a, 16<<10)
	w.Write(bytes.TrimSuffix(head, []byte("]}"))) // of bufio's errors the last one tells all
	for i, f := range m.Files() {
		if i > 0 {
			w.WriteByte(',')
		}
		b, err := json.Marshal(ListedFile{Path: f.Path, Size: f.Length, Executable: f.Executable})
		if err != nil {
			return err
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	w.WriteString("]}\n")
	return w.Flush()
}
