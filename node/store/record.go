package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/shoal-cdn/shoal"
)

const recordVersion = 1

// record is state/<id>.json: where a content's data is. Exactly one of Dest
// and Path is set.
type record struct {
	Version int    `json:"version"`
	Dest    string `json:"dest,omitempty"` // destination below the files folder
	Path    string `json:"path,omitempty"` // of a content in place, absolute

	// Published is set just before the rename to the destination, so it only
	// says that data is there once it is gone from the partial folder.
	Published bool `json:"published,omitempty"`

	// Mtimes are the files' times of modification, in nanoseconds since 1970,
	// when they were last known to be right: in the manifest's order, for a
	// content in place or published.
	Mtimes []int64 `json:"mtimes,omitempty"`
}

func (r record) inPlace() bool { return r.Path != "" }

func decodeRecord(b []byte) (record, error) {
	var r record
	if err := json.Unmarshal(b, &r); err != nil {
		return record{}, fmt.Errorf("%w: %v", shoal.ErrCorrupt, err)
	}
	err := error(nil)
	switch {
	case r.Version != recordVersion:
		err = fmt.Errorf("version %d, want %d", r.Version, recordVersion)
	case (r.Dest == "") == (r.Path == ""):
		err = errors.New("want either dest or path")
	case r.Path != "" && (!filepath.IsAbs(r.Path) || r.Published):
		err = errors.New("path is not absolute, or published")
	case r.Dest != "":
		err = CheckDest(r.Dest)
	}
	if err != nil {
		return record{}, fmt.Errorf("%w: %w", shoal.ErrCorrupt, err)
	}
	return r, nil
}

func (d *Disk) readRecord(id shoal.ContentID) (record, error) {
	b, err := d.readState(id, extRecord)
	if err != nil {
		return record{}, fmt.Errorf("record of %s: %w", id.Short(), err)
	}
	r, err := decodeRecord(b)
	if err != nil {
		return r, fmt.Errorf("record of %s: %w", id.Short(), err)
	}
	return r, nil
}

func (d *Disk) writeRecord(id shoal.ContentID, r record) error {
	r.Version = recordVersion
	b, err := json.Marshal(r)
	if err == nil {
		err = d.writeState(id, extRecord, b)
	}
	if err != nil {
		return fmt.Errorf("record of %s: %w", id.Short(), err)
	}
	return nil
}
