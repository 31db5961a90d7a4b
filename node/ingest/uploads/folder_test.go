package uploads

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/ingest/api"
)

// A description whose file has the number of the one before, as file systems give numbers anew, is another upload.
func TestNumberGivenAnew(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, Limits{})
	data := noise(17, 100)
	u := create(t, s, &api.Description{Task: "t", Name: "f", Size: 100})
	if err := errors.Join(u.Write(0, data), u.Sync(t.Context())); err != nil {
		t.Fatal(err)
	}
	at := filepath.Join(dir, "t")
	later := time.Now().Add(time.Second)
	err := errors.Join(
		os.WriteFile(filepath.Join(at, descriptionFile), []byte(`{"version":1,"task":"t","name":"g","size":50,"chunk_size":100,"chunks":1}`), 0o644),
		os.Chtimes(filepath.Join(at, descriptionFile), later, later),
	)
	if err != nil {
		t.Fatal(err)
	}
	if err := u.Refresh(); !errors.Is(err, shoal.ErrNotFound) {
		t.Errorf("refresh: %v", err)
	}
	v, err := s.Get("t")
	if err != nil || v == u || v.Status().Size != 50 || v.Status().Received != 0 {
		t.Errorf("%+v: %v", v.Status(), err)
	}
	if err := u.Write(0, data); err == nil {
		t.Error("written to what is gone")
	}
}
