package shoal

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of the paths in a manifest.
const (
	maxNameLen   = 255      // bytes in a component: what file systems take
	maxPathDepth = 64       // components
	maxPathLen   = 4096     // bytes
	maxPathBytes = 64 << 20 // bytes in all paths: nested folders must not blow up a small manifest
)

// checkName says why s cannot be a file's or folder's name. The names that
// pass are single components on every file system, and print as one line.
func checkName(s string) error {
	switch {
	case s == "":
		return errors.New("empty name")
	case s == "." || s == "..":
		return fmt.Errorf("name %q", s)
	case len(s) > maxNameLen:
		return fmt.Errorf("name %q: longer than %d bytes", clip(s), maxNameLen)
	case !utf8.ValidString(s):
		return fmt.Errorf("name %q: not UTF-8", s)
	}
	for _, r := range s {
		if r == '/' || r == '\\' || unicode.IsControl(r) {
			return fmt.Errorf("name %q: character %q is not allowed", s, r)
		}
	}
	return nil
}

// checkPathBounds says why a slash-separated path of valid names cannot be in
// a manifest.
func checkPathBounds(path string) error {
	if len(path) > maxPathLen || strings.Count(path, "/") >= maxPathDepth {
		return fmt.Errorf("path %q: longer than %d bytes or %d levels", clip(path), maxPathLen, maxPathDepth)
	}
	return nil
}
