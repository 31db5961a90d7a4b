//go:build unix

package ingest

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/shoal-cdn/shoal"
)

// A pipe by the name of a task file does not hold the drop folder up.
func TestReadTaskOfPipe(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "f.task.json"), 0o644); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if _, err := readTask(root, "f.task.json"); !errors.Is(err, shoal.ErrInvalid) {
		t.Error(err)
	}
}
