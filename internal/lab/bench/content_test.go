//go:build linux

package main

import (
	"crypto/sha1"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/anacrolix/torrent/metainfo"
	"github.com/shoal-cdn/shoal"
)

func makeTest(t *testing.T, s scenario) []content {
	t.Helper()
	contents, err := makeContents(t.TempDir(), s)
	if err != nil {
		t.Fatal(err)
	}
	return contents
}

// A copy that lacks a file, has one too many, or differs in one byte is found.
func TestVerify(t *testing.T) {
	for name, s := range map[string]scenario{
		"file":   {contents: 1, size: 600_001},
		"folder": {contents: 1, size: 600_001, files: 150},
	} {
		c := makeTest(t, s)[0]
		fresh := func() (path, file string) {
			path = filepath.Join(t.TempDir(), "copy")
			file = path
			var err error
			if s.files == 0 {
				var b []byte
				if b, err = os.ReadFile(c.path); err == nil {
					err = os.WriteFile(path, b, 0o644)
				}
			} else {
				err = os.CopyFS(path, os.DirFS(c.path))
				file = filepath.Join(path, c.files[149])
			}
			if err != nil {
				t.Fatal(err)
			}
			return path, file
		}
		path, _ := fresh()
		if err := c.verify(path); err != nil {
			t.Errorf("%s: a good copy: %v", name, err)
		}
		for damage, do := range map[string]func(path, file string) error{
			"missing": func(_, file string) error { return os.Remove(file) },
			"short":   func(_, file string) error { return os.Truncate(file, 100) },
			"long":    func(_, file string) error { return os.Truncate(file, 700_000) },
			"changed": func(_, file string) error {
				b, err := os.ReadFile(file)
				if err == nil {
					b[len(b)-1] ^= 1
					err = os.WriteFile(file, b, 0o644)
				}
				return err
			},
			"one too many": func(path, _ string) error {
				if s.files == 0 {
					return os.Remove(path)
				}
				return os.WriteFile(filepath.Join(path, "more"), nil, 0o644)
			},
		} {
			path, file := fresh()
			if err := do(path, file); err != nil {
				t.Fatal(err)
			}
			if c.verify(path) == nil {
				t.Errorf("%s, %s: no error", name, damage)
			}
		}
	}
}

func TestContentsAddUp(t *testing.T) {
	var total shoal.Size
	for _, c := range makeTest(t, scenario{contents: 7, size: 100_003}) {
		st, err := os.Stat(c.path)
		if err != nil || shoal.Size(st.Size()) != c.size {
			t.Fatalf("%s: %v, want %d bytes: %v", c.name, st, c.size, err)
		}
		total += c.size
	}
	if total != 100_003 {
		t.Errorf("together %d bytes, want 100003", total)
	}
}

// BEP 3: the pieces' hashes are those of the bytes, and the announce URL is in
// the file.
func TestMakeTorrent(t *testing.T) {
	c := makeTest(t, scenario{contents: 1, size: 200_000})[0]
	tor, err := makeTorrent(c, "http://198.18.1.2:6969/announce", 0)
	if err != nil {
		t.Fatal(err)
	}
	m, err := metainfo.Load(strings.NewReader(string(tor.file)))
	if err != nil {
		t.Fatal(err)
	}
	info, err := m.UnmarshalInfo()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(c.path)
	if err != nil {
		t.Fatal(err)
	}
	first := sha1.Sum(b[:minPieceLength])
	switch {
	case m.Announce != "http://198.18.1.2:6969/announce", infoHash(m.HashInfoBytes()) != tor.infoHash:
		t.Errorf("announce %q, info hash %v", m.Announce, m.HashInfoBytes())
	case info.Name != c.name, info.Length != 200_000, info.PieceLength != minPieceLength, len(info.Pieces) != 4*20:
		t.Errorf("%+v", info)
	case string(info.Pieces[:20]) != string(first[:]):
		t.Error("the first piece's hash is wrong")
	}
}

func TestPieceLength(t *testing.T) {
	for _, c := range []struct{ size, want shoal.Size }{
		{0, 64 << 10}, {32 << 20, 64 << 10}, {64 << 20, 128 << 10}, {1 << 30, 2 << 20}, {1 << 40, 4 << 20},
	} {
		if got := pieceLength(c.size); got != c.want {
			t.Errorf("of %v: %v, want %v", c.size, got, c.want)
		}
	}
}
