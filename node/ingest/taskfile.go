package ingest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"go.yaml.in/yaml/v3"

	"github.com/shoal-cdn/shoal"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// readTask reads a task file. It names no content: that is the file's.
func readTask(root *os.Root, name string) (tapi.NewTask, error) {
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // or a pipe without a writer would hold it here
	if err != nil {
		return tapi.NewTask{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return tapi.NewTask{}, err
	}
	if !info.Mode().IsRegular() {
		return tapi.NewTask{}, fmt.Errorf("%w: no regular file", shoal.ErrInvalid)
	}
	b, err := io.ReadAll(io.LimitReader(f, tapi.MaxTaskBytes+1))
	if err != nil {
		return tapi.NewTask{}, err
	}
	if len(b) > tapi.MaxTaskBytes {
		return tapi.NewTask{}, fmt.Errorf("%w: larger than %d bytes", shoal.ErrInvalid, tapi.MaxTaskBytes)
	}
	return DecodeTask(b, !strings.HasSuffix(name, ".json"))
}

// DecodeTask reads a task file, in JSON or in YAML. Fields that it does not know are errors, as
// somebody has typed them. The error is of kind [shoal.ErrInvalid].
func DecodeTask(b []byte, isYAML bool) (tapi.NewTask, error) {
	var t tapi.NewTask
	bad := func(err error) (tapi.NewTask, error) {
		return tapi.NewTask{}, fmt.Errorf("task file: %w: %v", shoal.ErrInvalid, err)
	}
	if isYAML {
		var fields map[string]any
		if err := yaml.Unmarshal(b, &fields); err != nil {
			return bad(err)
		}
		var err error
		if b, err = json.Marshal(fields); err != nil {
			return bad(err)
		}
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&t); err != nil {
		return bad(err)
	}
	switch {
	case !t.Content.IsZero():
		return bad(errors.New("it names a content; that is the file beside it"))
	case len(t.Nodes) == 0:
		return bad(errors.New("it names no nodes"))
	}
	if err := t.Check(); err != nil {
		return tapi.NewTask{}, fmt.Errorf("task file: %w", err)
	}
	return t, nil
}
