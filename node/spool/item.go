package spool

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/ingest/api"
	"github.com/shoal-cdn/shoal/node/upload"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// State is that of an item.
type State string

const (
	Waiting  State = "waiting" // to be sent, or sent again after what Error says
	Underway State = "sending" // by the process that holds the lock; else as Waiting
	Done     State = "done"    // a server has all of it; the data is no longer kept here
	Failed   State = "failed"  // for the reason in Error, which waiting does not mend
)

// Data says where an item's data is.
type Data string

const (
	InPlace Data = "path" // at Source
	Linked  Data = "link" // in the spool: the same file under another name
	Cloned  Data = "reflink"
	Copied  Data = "copy"
)

// Item is an upload in a spool.
type Item struct {
	Task   string    `json:"task"`
	Source string    `json:"source"` // absolute path that it was taken from
	Name   string    `json:"name"`   // last component of Source
	Data   Data      `json:"data"`
	Size   int64     `json:"size"` // bytes
	Added  time.Time `json:"added"`

	// Origin and Print are the fingerprints of what was at Source, and of the
	// item's data ([upload.Fingerprint]).
	Origin string `json:"origin"`
	Print  string `json:"print"`

	Target     Target          `json:"target"`
	Distribute *api.Distribute `json:"distribute,omitempty"`

	State   State  `json:"state"`
	Error   string `json:"error,omitempty"`   // why it failed, or waits
	Content string `json:"content,omitempty"` // its ID, once it is hashed
	Sent    int64  `json:"sent"`              // bytes that a server is known to have; it may have more

	// Candidates are the servers that the tracker named last, for when it is away.
	Candidates []upload.Candidate `json:"candidates,omitempty"`
	Measured   []upload.Measured  `json:"measured,omitempty"` // what was found out about them
	Changed    time.Time          `json:"changed"`            // when this record was written
}

// Target is where an item goes.
type Target struct {
	Trackers []string       `json:"trackers,omitempty"` // their URLs: they name the servers
	Servers  []string       `json:"servers,omitempty"`  // instead: URLs of servers
	Here     shoal.Locality `json:"here,omitzero"`      // where this machine is
}

const (
	maxRecord     = 1 << 20 // bytes
	maxText       = 4096    // bytes of a path, an error, a URL
	maxCandidates = 64
	maxMeasured   = 1024 // paths
	maxURLs       = 64
	printDigits   = 64
)

// decodeItem reads a record that may be anything. The error is of kind
// [shoal.ErrCorrupt].
func decodeItem(task string, b []byte) (Item, error) {
	var it Item
	if err := json.Unmarshal(b, &it); err != nil {
		return it, fmt.Errorf("record of %s: %w: %w", task, shoal.ErrCorrupt, err)
	}
	if why := it.check(task); why != "" {
		return Item{}, fmt.Errorf("record of %s: %w: %s", task, shoal.ErrCorrupt, why)
	}
	return it, nil
}

// check says what is wrong with an item; "" where nothing is.
func (it *Item) check(task string) string {
	switch {
	case it.Task != task || tapi.CheckTaskID(task) != nil:
		return "another task's"
	case !filepath.IsAbs(it.Source) || len(it.Source) > maxText || strings.ContainsRune(it.Source, 0):
		return "the source is no absolute path"
	case it.Name != filepath.Base(it.Source) || !filepath.IsLocal(it.Name) || it.Name == ".":
		return "the name is not that of the source"
	case it.Size < 0 || it.Sent < 0 || it.Sent > it.Size:
		return "sizes that cannot be"
	case len(it.Origin) != printDigits || len(it.Print) != printDigits:
		return "no fingerprint"
	case len(it.Error) > maxText || !utf8.ValidString(it.Error):
		return "the error is too long"
	case len(it.Candidates) > maxCandidates || len(it.Measured) > maxMeasured || len(it.Target.Trackers)+len(it.Target.Servers) > maxURLs:
		return "too many servers"
	}
	switch it.Data {
	case InPlace, Linked, Cloned, Copied:
	default:
		return "data of an unknown kind"
	}
	switch it.State {
	case Waiting, Underway, Done, Failed:
	default:
		return "an unknown state"
	}
	if it.Content != "" {
		if _, err := shoal.ParseContentID(it.Content); err != nil {
			return "the content's ID is none"
		}
	}
	return ""
}

// over reports whether nothing is going to happen to the item by itself.
func (it *Item) over() bool { return it.State == Done || it.State == Failed }

// clip keeps an error within what a record may hold.
func clip(s string) string {
	if len(s) > maxText-4 {
		s = s[:maxText-4]
	}
	return strings.ToValidUTF8(s, "?")
}
