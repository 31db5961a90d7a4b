package shoal

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// maxBencodeDepth bounds the nesting of dictionaries and lists: a path of
// maxPathDepth components, the property dictionary at its end, and the
// dictionaries around the file tree.
const maxBencodeDepth = maxPathDepth + 8

// bencodeReader reads bencode (BEP 3) strictly and without copying: keys must
// be sorted and unique, integers and lengths in their shortest form. A
// lenient reader, such as the anacrolix/torrent one, lets a manifest mean
// different things to different programs under one content ID.
type bencodeReader struct {
	b     []byte
	pos   int
	depth int
}

var errBencodeEnd = errors.New("ends too early")

func (r *bencodeReader) fail(at int, what string) error {
	return fmt.Errorf("bencode at byte %d: %s", at, what)
}

func (r *bencodeReader) peek() (byte, error) {
	if r.pos >= len(r.b) {
		return 0, errBencodeEnd
	}
	return r.b[r.pos], nil
}

// enter consumes the opening byte of a dictionary or list.
func (r *bencodeReader) enter(open byte, kind string) error {
	c, err := r.peek()
	if err != nil {
		return err
	}
	if c != open {
		return r.fail(r.pos, "want a "+kind)
	}
	if r.depth++; r.depth > maxBencodeDepth {
		return r.fail(r.pos, "nested too deep")
	}
	r.pos++
	return nil
}

// leave consumes the closing byte, if it is next.
func (r *bencodeReader) leave() (bool, error) {
	c, err := r.peek()
	if err != nil || c != 'e' {
		return false, err
	}
	r.pos++
	r.depth--
	return true, nil
}

// dict reads a dictionary. For every key it calls value, which must consume
// exactly the one value. The key is a view of the input.
func (r *bencodeReader) dict(value func(key []byte) error) error {
	if err := r.enter('d', "dictionary"); err != nil {
		return err
	}
	var last []byte
	for first := true; ; first = false {
		if done, err := r.leave(); done || err != nil {
			return err
		}
		at := r.pos
		key, err := r.str()
		if err != nil {
			return err
		}
		if !first && bytes.Compare(last, key) >= 0 {
			return r.fail(at, "keys are not sorted and unique")
		}
		last = key
		if err := value(key); err != nil {
			return err
		}
	}
}

// str reads a string; it is a view of the input.
func (r *bencodeReader) str() ([]byte, error) {
	c, err := r.peek()
	if err != nil {
		return nil, err
	}
	if c < '0' || c > '9' {
		return nil, r.fail(r.pos, "want a string")
	}
	n, err := r.number(':', "string")
	if err != nil {
		return nil, err
	}
	if n > int64(len(r.b)-r.pos) {
		return nil, errBencodeEnd
	}
	s := r.b[r.pos : r.pos+int(n) : r.pos+int(n)]
	r.pos += int(n)
	return s, nil
}

func (r *bencodeReader) int() (int64, error) {
	c, err := r.peek()
	if err != nil {
		return 0, err
	}
	if c != 'i' {
		return 0, r.fail(r.pos, "want an integer")
	}
	r.pos++
	return r.number('e', "integer")
}

// number reads decimal digits up to the terminator end.
func (r *bencodeReader) number(end byte, kind string) (int64, error) {
	const longest = len("-9223372036854775808")
	start := r.pos
	window := r.b[start:min(len(r.b), start+longest+1)]
	i := bytes.IndexByte(window, end)
	if i < 0 {
		return 0, r.fail(start, "malformed "+kind)
	}
	text := string(window[:i])
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || strconv.FormatInt(n, 10) != text {
		return 0, r.fail(start, "malformed "+kind)
	}
	r.pos += i + 1
	return n, nil
}

// skip consumes one value of any kind.
func (r *bencodeReader) skip() error {
	c, err := r.peek()
	if err != nil {
		return err
	}
	switch c {
	case 'd':
		return r.dict(func([]byte) error { return r.skip() })
	case 'l':
		if err := r.enter('l', "list"); err != nil {
			return err
		}
		for {
			if done, err := r.leave(); done || err != nil {
				return err
			}
			if err := r.skip(); err != nil {
				return err
			}
		}
	case 'i':
		_, err = r.int()
		return err
	}
	_, err = r.str()
	return err
}
