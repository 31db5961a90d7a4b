package uploads

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/ingest/api"
)

func sumOf(data []byte) (s Sum) {
	_, _ = s.Write(data)
	return s
}

// R4: a file that was whole becomes an upload, wherever the process before ended.
func TestAdoptAfterCrash(t *testing.T) {
	data := noise(12, 3*shoal.MinPieceLength)
	sum := sumOf(data)
	for step, undo := range map[string]func(at, from string) error{
		"nothing done": func(at, _ string) error { return os.RemoveAll(at) },
		"described":    func(at, from string) error { return os.Rename(filepath.Join(at, dataDir, "f"), from) },
		"folder made":  func(at, from string) error { return os.Rename(filepath.Join(at, dataDir, "f"), from) },
		"moved":        func(string, string) error { return nil },
		"all done":     nil,
	} {
		t.Run(step, func(t *testing.T) {
			dir := t.TempDir()
			from := filepath.Join(dir, ".other")
			write := func() {
				if err := os.WriteFile(from, data, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			write()
			before := openStore(t, dir, Limits{})
			if _, err := before.Adopt(t.Context(), "t", "f", nil, ".other", sum); err != nil {
				t.Fatal(err)
			}
			at := filepath.Join(dir, "t")
			if undo != nil {
				if err := errors.Join(os.Remove(filepath.Join(at, completeFile)), undo(at, from)); err != nil {
					t.Fatal(err)
				}
			}
			switch step {
			case "nothing done":
				write()
			case "described":
				if err := os.Remove(filepath.Join(at, dataDir)); err != nil {
					t.Fatal(err)
				}
			}
			u, err := openStore(t, dir, Limits{}).Adopt(t.Context(), "t", "f", nil, ".other", sum)
			if err != nil {
				t.Fatal(err)
			}
			if st := u.Status(); st.State != api.Complete {
				t.Errorf("%+v", st)
			}
			readAll(t, u, data)
		})
	}
}

// What was moved and is not what it was is no upload.
func TestAdoptFindsWrongData(t *testing.T) {
	dir := t.TempDir()
	data := noise(13, 100)
	sum := sumOf(data)
	if err := os.WriteFile(filepath.Join(dir, ".other"), data, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := openStore(t, dir, Limits{}).Adopt(t.Context(), "t", "f", nil, ".other", Sum{}); !errors.Is(err, ErrMixed) {
		t.Errorf("with another checksum: %v", err)
	}
	u, err := openStore(t, dir, Limits{}).Adopt(t.Context(), "t", "f", nil, ".other", sum)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Remove(filepath.Join(dir, "t", completeFile)), os.WriteFile(u.Path(), noise(14, 100), 0o644)); err != nil {
		t.Fatal(err)
	}
	s := openStore(t, dir, Limits{})
	if _, err := s.Adopt(t.Context(), "t", "f", nil, ".other", sum); !errors.Is(err, shoal.ErrCorrupt) {
		t.Error(err)
	}
	if err := s.Delete("t"); err != nil {
		t.Error(err)
	}
	if _, err := s.Adopt(t.Context(), "t", "f", nil, ".other", sum); !errors.Is(err, shoal.ErrNotFound) {
		t.Errorf("after it was deleted: %v", err)
	}
}
