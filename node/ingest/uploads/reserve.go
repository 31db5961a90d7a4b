package uploads

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/ingest/api"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// reservedDir has the reservations: files by the names of what they are for.
const reservedDir = ".reserved"

// reservation is room for an upload that has no description yet. It counts until there is
// one by its name, or it is neither recent nor its data there.
type reservation struct {
	Size int64  `json:"size"`           // bytes
	Data string `json:"data,omitempty"` // the file that grows to that size, below the store's folder; "" for none

	coming  int64 // bytes that are not there yet
	growing bool  // Data is there
}

// maxReservation bounds a reservation's file, in bytes.
const maxReservation = 4 << 10

// Reserve takes room for an upload that another protocol receives in the file data, below the store's folder,
// until [Store.Adopt] makes it one like any other or [Store.Unreserve] gives it back. It takes the
// place of the reservations in parts, which are given back besides. [ErrTooLarge], [ErrTooMany] or
// [ErrFull] where the limits do not let it begin.
func (s *Store) Reserve(task, data string, size int64, parts ...string) error {
	if err := tapi.CheckTaskID(task); err != nil {
		return err
	}
	if size > int64(api.MaxChunks)*api.MaxChunkBytes {
		return fmt.Errorf("upload %s: %w: %d bytes", task, ErrTooLarge, size)
	}
	if err := s.reserve(task, reservation{Size: size, Data: data}, parts); err != nil {
		return fmt.Errorf("upload %s: %w", task, room(err))
	}
	return nil
}

// reserve first writes the reservation and then counts what else there is. So of those who reserve at the same
// time, servers that share the store too, each sees the others' or is seen by them: together they never
// exceed the limits, though where only one had room both may be refused.
func (s *Store) reserve(name string, r reservation, parts []string) error {
	l := s.cfg.Limits
	if l.Size > 0 && r.Size > l.Size {
		return fmt.Errorf("%w: %d bytes, want at most %s", ErrTooLarge, r.Size, shoal.Size(l.Size))
	}
	s.admitting.Lock()
	defer s.admitting.Unlock()
	if err := s.root.Mkdir(reservedDir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	dir, err := s.root.OpenRoot(reservedDir)
	if err != nil {
		return err
	}
	defer dir.Close()
	if was, err := s.readReservation(name); err == nil && was.Data != "" && was.Data != r.Data {
		return fmt.Errorf("%w: it is being uploaded by another protocol", shoal.ErrConflict)
	}
	if err := replaceFile(dir, name, b); err != nil {
		return err
	}
	but := map[string]bool{name: true}
	for _, p := range parts {
		but[p] = true
	}
	others, err := s.count(but)
	if err == nil {
		err = others.refusal(l, r.Size, s.free())
	}
	if err != nil {
		return errors.Join(err, dir.Remove(name))
	}
	return nil
}

// free is what the disk has free, in bytes; negative where that is not known.
func (s *Store) free() int64 {
	if s.space.ask != nil {
		if free, known := s.space.ask(); known {
			return free
		}
	}
	return -1
}

// Unreserve gives a reservation back. One that is not there is no error.
func (s *Store) Unreserve(task string) error {
	if err := tapi.CheckTaskID(task); err != nil {
		return err
	}
	err := s.root.Remove(path.Join(reservedDir, task))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("upload %s: give its reservation back: %w", task, err)
	}
	return nil
}

// reserved is the reservations that count, by name. It removes what has long been none.
func (s *Store) reserved() (map[string]reservation, error) {
	entries, err := fs.ReadDir(s.root.FS(), reservedDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	list := make(map[string]reservation)
	for _, e := range entries {
		at := path.Join(reservedDir, e.Name())
		info, err := s.root.Lstat(at)
		var r reservation
		if err == nil {
			r, err = s.readReservation(e.Name())
		}
		switch recent := err == nil && time.Since(info.ModTime()) < litterAge; {
		case errors.Is(err, fs.ErrNotExist): // it was given back
		case err != nil && !errors.Is(err, shoal.ErrCorrupt):
			return nil, err // nothing is admitted while it is not known what there is
		case err == nil && (recent || r.growing):
			list[e.Name()] = r
		case time.Since(info.ModTime()) >= litterAge: // a crash has left it behind
			if err := s.root.Remove(at); err != nil && !errors.Is(err, fs.ErrNotExist) {
				s.cfg.Log.Warn("could not remove a reservation", "upload", e.Name(), "err", err)
			}
		}
	}
	return list, nil
}

func (s *Store) readReservation(name string) (r reservation, err error) {
	if err := tapi.CheckTaskID(name); err != nil {
		return r, fmt.Errorf("reservation: %w: %w", shoal.ErrCorrupt, err)
	}
	b, err := readFile(s.root, path.Join(reservedDir, name), maxReservation)
	if err != nil {
		return r, fmt.Errorf("reservation: %w", err)
	}
	if err := json.Unmarshal(b, &r); err != nil || r.Size < 0 {
		return r, fmt.Errorf("reservation: %w: %v", shoal.ErrCorrupt, err)
	}
	r.coming = r.Size
	if r.Data == "" {
		return r, nil
	}
	switch data, err := s.root.Lstat(r.Data); {
	case err == nil:
		r.growing, r.coming = true, max(0, r.Size-data.Size())
	case !errors.Is(err, fs.ErrNotExist):
		return r, fmt.Errorf("reservation: %w", err)
	}
	return r, nil
}
