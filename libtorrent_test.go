package shoal

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
)

// libtorrentScript takes a path, a piece length and our torrent of the path,
// and prints libtorrent's own torrent of it beside its view of ours.
const libtorrentScript = `
import json, os, sys
import libtorrent as lt
path, piece_length, ours = sys.argv[1], int(sys.argv[2]), open(sys.argv[3], "rb").read()
fs = lt.file_storage()
lt.add_files(fs, path)
create = lt.create_torrent(fs, piece_length, lt.create_torrent.v2_only)
lt.set_piece_hashes(create, os.path.dirname(path))
made = create.generate()
read = lt.torrent_info(lt.bdecode(ours))
files = read.files()
print(json.dumps({
    "id": str(lt.torrent_info(made).info_hashes().v2),
    "info": lt.bencode(made[b"info"]).hex(),
    "layers": lt.bencode(made[b"piece layers"]).hex(),
    "read_id": str(read.info_hashes().v2),
    "web_seeds": [seed["url"] for seed in read.web_seeds()],
    "files": ["%s %d %s" % (files.file_path(i), files.file_size(i), files.file_flags(i) & lt.file_flags_t.flag_executable != 0)
              for i in range(files.num_files()) if not files.file_flags(i) & lt.file_flags_t.flag_pad_file],
}))
`

type libtorrentView struct {
	ID, Info, Layers string
	ReadID           string   `json:"read_id"`
	WebSeeds         []string `json:"web_seeds"`
	Files            []string
}

func askLibtorrent(t *testing.T, python, path string, m *Manifest) (v libtorrentView) {
	t.Helper()
	ours := filepath.Join(t.TempDir(), "ours.torrent")
	if err := os.WriteFile(ours, m.Torrent(), 0o644); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), python, "-c", libtorrentScript, path, strconv.Itoa(m.PieceLength()), ours)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("libtorrent: %v\n%s", err, stderr.Bytes())
	}
	if err := json.Unmarshal(stdout.Bytes(), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// The reference implementation of BEP 52 makes the same torrent of the same
// files, and reads ours.
func TestLibtorrentAgrees(t *testing.T) {
	python := "/usr/bin/python3" // the one that sees Debian's packages
	if err := exec.CommandContext(t.Context(), python, "-c", "import libtorrent").Run(); err != nil {
		t.Skip("needs libtorrent 2 for Python (Debian: python3-libtorrent)")
	}
	const pl = 32 << 10
	tests := map[string]map[string][]byte{
		"one block":         {"f": noise(blockSize)},
		"less than a piece": {"f": noise(100)},
		"one piece":         {"f": noise(pl)},
		"a byte more":       {"f": noise(pl + 1)},
		"many pieces":       {"f": noise(37*pl + 5)},
		"large pieces":      {"f": noise(3<<20 + 12345)},
		"nothing but an ø":  {"ø": noise(3)},
		"order":             {"a/z": noise(1), "a.txt": noise(2), "a/b/c": noise(3), "B": noise(4), "a b": noise(5)},
		"empty files":       {"0": nil, "d/1": nil, "f": noise(pl), "z": nil},
		"unicode":           {"日本/語": noise(2 * pl), "e\u0301": noise(1), "\u00e9": noise(2), "😀": noise(3)},
		"equal files":       {"a": noise(3 * pl), "b": noise(3 * pl), "c": noise(7), "d": noise(7)},
		"executables":       {"run.sh": noise(10), "bin/tool.sh": noise(3 * pl), "data": noise(10)},
		"single executable": {"only.sh": noise(2 * pl)},
		"single, named so":  {"日本 語": noise(2*pl + 7)},
	}
	for name, contents := range tests {
		t.Run(name, func(t *testing.T) {
			dir := writeTree(t, contents)
			for path := range contents {
				if filepath.Ext(path) == ".sh" {
					if err := os.Chmod(filepath.Join(dir, path), 0o755); err != nil {
						t.Fatal(err)
					}
				}
			}
			pieceLength := pl
			if name == "large pieces" {
				pieceLength = 1 << 20
			}
			paths := []string{dir}
			if len(contents) == 1 {
				for file := range contents {
					paths = append(paths, filepath.Join(dir, file))
				}
			}
			for _, path := range paths {
				compareWithLibtorrent(t, python, path, pieceLength)
			}
		})
	}
}

func compareWithLibtorrent(t *testing.T, python, path string, pieceLength int) {
	t.Helper()
	m, err := BuildManifest(t.Context(), path, BuildOptions{PieceLength: pieceLength})
	if err != nil {
		t.Fatal(err)
	}
	// libtorrent appends a slash to URLs that end without one.
	seeds := []string{"http://192.0.2.1/?e=1&sig=c%2Fd/", "https://h:8443/a%20b/"}
	with, err := m.WithWebSeeds(seeds)
	if err != nil {
		t.Fatal(err)
	}
	v := askLibtorrent(t, python, path, with)
	if slices.Sort(v.WebSeeds); !slices.Equal(v.WebSeeds, seeds) {
		t.Errorf("libtorrent sees web seeds %q, want %q", v.WebSeeds, seeds)
	}
	if v.ID != m.ID().String() || v.ReadID != m.ID().String() {
		t.Errorf("our ID is %v; libtorrent makes %s, and reads %s from our torrent", m.ID(), v.ID, v.ReadID)
	}
	info, _ := hex.DecodeString(v.Info)
	layers, _ := hex.DecodeString(v.Layers)
	theirs := fmt.Appendf(nil, "d4:info%s12:piece layers%se", info, layers)
	if !bytes.Equal(theirs, m.Torrent()) {
		t.Errorf("torrent %q, libtorrent's is %q", m.Torrent(), theirs)
	}
	if _, err := DecodeManifest(theirs); err != nil {
		t.Errorf("libtorrent's torrent: %v", err)
	}
	if len(v.Files) != len(m.Files()) {
		t.Fatalf("libtorrent sees %q in ours, want %v", v.Files, m.Files())
	}
	for i, f := range m.Files() {
		// libtorrent takes every folder with one file for a single file.
		p := f.Path
		if m.IsFolder() && (len(m.Files()) > 1 || filepath.Dir(p) != ".") {
			p = m.Name() + "/" + p
		}
		executable := map[bool]string{true: "True", false: "False"}[f.Executable]
		if want := fmt.Sprintf("%s %d %s", p, f.Length, executable); v.Files[i] != want {
			t.Errorf("libtorrent sees file %q, want %q", v.Files[i], want)
		}
	}
}
