package shoal

import (
	"bytes"
	"errors"
	"fmt"
)

// treeDecoder reads a BEP 52 file tree into a flat list.
type treeDecoder struct {
	r         *bencodeReader
	files     []File
	roots     [][32]byte // of each file; zero for an empty one
	pathBytes int
}

// folder reads the node of the folder at path; that of the top is "".
func (t *treeDecoder) folder(path string) error {
	entries := 0
	err := t.r.dict(func(key []byte) error {
		entries++
		entry := string(key)
		if err := checkName(entry); err != nil {
			return fmt.Errorf("in folder %q: %w", clip(path), err)
		}
		if path != "" {
			entry = path + "/" + entry
		}
		if err := checkPathBounds(entry); err != nil {
			return err
		}
		if !t.atFile() {
			return t.folder(entry)
		}
		if t.pathBytes += len(entry); t.pathBytes > maxPathBytes {
			return fmt.Errorf("all paths together are longer than %d bytes", maxPathBytes)
		}
		if err := t.file(entry); err != nil {
			return fmt.Errorf("file %q: %w", clip(entry), err)
		}
		return nil
	})
	if err == nil && entries == 0 {
		return fmt.Errorf("folder %q: empty", clip(path))
	}
	return err
}

// atFile reports whether the next node is a file's: a dictionary whose first
// key is the empty one.
func (t *treeDecoder) atFile() bool {
	return bytes.HasPrefix(t.r.b[t.r.pos:], []byte("d0:"))
}

// file reads a file's node: a dictionary with the file's properties under its
// only key, the empty one.
func (t *treeDecoder) file(path string) error {
	return t.r.dict(func(key []byte) error {
		if len(key) != 0 {
			return fmt.Errorf("is a folder as well, with %q in it", clip(string(key)))
		}
		f, root, err := t.properties()
		if err != nil {
			return err
		}
		f.Path = path
		t.files = append(t.files, f)
		t.roots = append(t.roots, root)
		return nil
	})
}

func (t *treeDecoder) properties() (f File, root [32]byte, err error) {
	f.Length = -1
	var rootLen int
	err = t.r.dict(func(key []byte) (err error) {
		var s []byte
		switch string(key) {
		case "length":
			if f.Length, err = t.r.int(); err == nil && f.Length < 0 {
				err = fmt.Errorf("length %d", f.Length)
			}
		case "pieces root":
			s, err = t.r.str()
			rootLen = copy(root[:], s)
			if len(s) != len(root) && err == nil {
				err = fmt.Errorf("pieces root of %d bytes", len(s))
			}
		case "attr":
			s, err = t.r.str()
			if err == nil {
				f.Executable, err = attributes(s)
			}
		case "symlink path":
			err = errSymlink
		default:
			err = t.r.skip()
		}
		return err
	})
	switch {
	case err != nil:
	case f.Length < 0:
		err = errors.New("no length")
	case f.Length == 0 && rootLen != 0:
		err = errors.New("empty, but has a pieces root")
	case f.Length > 0 && rootLen == 0:
		err = errors.New("no pieces root")
	}
	return f, root, err
}

var errSymlink = errors.New("symlinks are not supported")

// attributes reads the flags of BEP 47; unknown ones are ignored.
func attributes(attr []byte) (executable bool, err error) {
	for _, c := range attr {
		switch c {
		case 'x':
			executable = true
		case 'l':
			return false, errSymlink
		case 'p':
			return false, errors.New("pad file in a file tree, where files are aligned anyway")
		}
	}
	return executable, nil
}
