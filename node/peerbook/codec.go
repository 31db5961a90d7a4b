package peerbook

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/shoal-cdn/shoal"
)

const (
	version  = 1
	maxFile  = 2 << 20 // bytes; a full book takes a tenth of it
	maxAddr  = 256     // bytes
	maxLabel = 128     // bytes of a name or of a part of a locality
)

// file is the book on disk.
type file struct {
	Version int     `json:"version"`
	Peers   []Entry `json:"peers"`
}

func encode(es []Entry) ([]byte, error) {
	return json.MarshalIndent(file{version, es}, "", "\t")
}

// decode reads a book. It leaves out entries that cannot be, and takes signs from
// the future for ones of now. The error, where nothing can be read, is of kind
// [shoal.ErrCorrupt].
func decode(b []byte, now time.Time) ([]Entry, error) {
	var f file
	if err := json.Unmarshal(b, &f); err != nil {
		return nil, fmt.Errorf("%w: %v", shoal.ErrCorrupt, err)
	}
	if f.Version != version {
		return nil, fmt.Errorf("%w: version %d, want %d", shoal.ErrCorrupt, f.Version, version)
	}
	es := slices.DeleteFunc(f.Peers, func(e Entry) bool { return !valid(e) })
	es = es[:min(len(es), maxEntries)]
	for i := range es {
		if es[i].Seen.After(now) {
			es[i].Seen = now
		}
	}
	return es, nil
}

func valid(e Entry) bool {
	if _, err := shoal.ParseNodeID(string(e.ID)); err != nil {
		return false
	}
	if len(e.Addrs) == 0 || len(e.Addrs) > maxAddrs || slices.ContainsFunc(e.Addrs, func(a string) bool { return !printable(a, maxAddr) || a == "" }) {
		return false
	}
	return !slices.ContainsFunc([]string{e.Name, e.Carrier, e.Region, e.Site}, func(s string) bool { return !printable(s, maxLabel) })
}

// printable bounds what may end up in logs and on terminals.
func printable(s string, most int) bool {
	return len(s) <= most && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}
