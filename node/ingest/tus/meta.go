package tus

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"syscall"

	"github.com/tus/tusd/v2/pkg/handler"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/ingest/api"
	"github.com/shoal-cdn/shoal/node/ingest/uploads"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// nameOf is the content's name.
func nameOf(info handler.FileInfo) string {
	return cmp.Or(info.MetaData["filename"], info.MetaData["name"], "upload")
}

// distributeOf is the task that an upload asks for; nil for none.
func distributeOf(info handler.FileInfo) (*api.Distribute, error) {
	nodes := info.MetaData["nodes"]
	if nodes == "" {
		return nil, nil
	}
	var d api.Distribute
	for name := range strings.SplitSeq(nodes, ",") {
		d.Nodes = append(d.Nodes, strings.TrimSpace(name))
	}
	d.Dest = info.MetaData["dest"]
	if p := info.MetaData["priority"]; p != "" {
		if err := d.Priority.Set(p); err != nil {
			return nil, err
		}
	}
	if len(d.Nodes) > tapi.MaxNames {
		return nil, fmt.Errorf("nodes: %w: want at most %d", shoal.ErrInvalid, tapi.MaxNames)
	}
	return &d, tapi.CheckDest(d.Dest)
}

// errChecksum is the checksum extension's answer.
var errChecksum = handler.NewError("ERR_CHECKSUM_MISMATCH", "checksum mismatch", 460)

// refusal is err as tusd answers it.
func refusal(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[handler.Error](err); ok {
		return err
	}
	status := tapi.ProblemOf(err).Status
	switch {
	case errors.Is(err, uploads.ErrFull), errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		status = http.StatusInsufficientStorage
	case errors.Is(err, uploads.ErrTooMany):
		status = http.StatusTooManyRequests
	case errors.Is(err, uploads.ErrTooLarge):
		status = http.StatusRequestEntityTooLarge
	}
	if status == http.StatusInternalServerError {
		return err
	}
	return handler.NewError("ERR_UPLOAD", err.Error(), status)
}
