package shoal

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/anacrolix/torrent/bencode"
)

type dict = map[string]any

func file(length int64, root [32]byte) dict {
	return dict{"": dict{"length": length, "pieces root": root[:]}}
}

// twoFiles is a torrent of a file of three pieces and one of half a piece,
// changed by edit before it is encoded.
func twoFiles(t testing.TB, edit func(torrent, info, tree dict)) []byte {
	t.Helper()
	layer := testNodes(3)
	root := layerRoot(layer, MinPieceLength)
	tree := dict{"a": file(3*MinPieceLength-1, root), "b": dict{"c": file(MinPieceLength/2, layer[0])}}
	info := dict{"meta version": 2, "name": "n", "piece length": MinPieceLength, "file tree": tree}
	torrent := dict{"info": info, "piece layers": dict{string(root[:]): flatten(layer)}}
	edit(torrent, info, tree)
	b, err := bencode.Marshal(torrent)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func flatten(nodes [][32]byte) (b []byte) {
	for _, n := range nodes {
		b = append(b, n[:]...)
	}
	return b
}

type decodeTest struct {
	name string
	want string // in the error; "" is success
	edit func(torrent, info, tree dict)
}

func decodeTests() []decodeTest {
	root := testNodes(1)[0]
	empty := dict{"": dict{"length": 0}}
	return []decodeTest{
		{"plain", "", func(_, _, _ dict) {}},
		{"unknown keys", "", func(torrent, info, tree dict) {
			torrent["announce"] = "x"
			info["source"] = []any{1, dict{"a": ""}}
			tree["d"] = dict{"": dict{"length": 0, "mtime": 1}}
		}},
		{"layers nobody asks for", "", func(torrent, _, _ dict) {
			torrent["piece layers"].(dict)[string(root[:])] = root[:]
			torrent["piece layers"].(dict)[strings.Repeat("\xff", 32)] = ""
			torrent["piece layers"].(dict)[""] = ""
		}},
		{"no layers needed", "", func(torrent, _, tree dict) { delete(tree, "a"); delete(torrent, "piece layers") }},
		{"hidden", "", func(_, _, tree dict) { tree["d"] = dict{"": dict{"length": 0, "attr": "h"}} }},
		{"same contents twice", "", func(_, _, tree dict) { tree["z"] = tree["a"] }},
		{"web seed", "", func(torrent, _, _ dict) { torrent["url-list"] = "http://h/f" }},
		{"web seeds", "", func(torrent, _, _ dict) { torrent["url-list"] = []any{"https://h/f?a=b", 7, "odd"} }},

		{"no info", "no info", func(torrent, _, _ dict) { delete(torrent, "info") }},
		{"info is a list", "want a dictionary", func(torrent, _, _ dict) { torrent["info"] = []any{} }},
		{"version 1", "meta version", func(_, info, _ dict) { delete(info, "meta version") }},
		{"version 3", "meta version", func(_, info, _ dict) { info["meta version"] = 3 }},
		{"no name", "empty name", func(_, info, _ dict) { delete(info, "name") }},
		{"name leaves the folder", `name ".."`, func(_, info, _ dict) { info["name"] = ".." }},
		{"name is a number", "want a string", func(_, info, _ dict) { info["name"] = 1 }},
		{"no piece length", "piece length 0", func(_, info, _ dict) { delete(info, "piece length") }},
		{"piece length too small", "piece length 8192", func(_, info, _ dict) { info["piece length"] = 8192 }},
		{"piece length not a power of two", "piece length 24576", func(_, info, _ dict) { info["piece length"] = 24576 }},
		{"piece length too large", "piece length 33554432", func(_, info, _ dict) { info["piece length"] = 32 << 20 }},
		{"piece length negative", "piece length -", func(_, info, _ dict) { info["piece length"] = math.MinInt64 }},
		{"no file tree", "no file tree", func(_, info, _ dict) { delete(info, "file tree") }},
		{"empty file tree", "empty", func(_, info, _ dict) { info["file tree"] = dict{} }},
		{"file tree is a file", "empty name", func(_, info, _ dict) { info["file tree"] = empty }},
		{"empty folder", `folder "d"`, func(_, _, tree dict) { tree["d"] = dict{} }},
		{"slash in a name", `'/'`, func(_, _, tree dict) { tree["../x"] = empty }},
		{"dots deep down", `name ".."`, func(_, _, tree dict) { tree["d"] = dict{"..": empty} }},
		{"file and folder", "folder as well", func(_, _, tree dict) {
			tree["d"] = dict{"": dict{"length": 0}, "e": empty}
		}},
		{"too deep", "levels", func(_, _, tree dict) {
			node := empty
			for range maxPathDepth {
				node = dict{"d": node}
			}
			tree["d"] = node
		}},
		{"no length", "no length", func(_, _, tree dict) { tree["d"] = dict{"": dict{}} }},
		{"negative length", "length -1", func(_, _, tree dict) { tree["d"] = file(-1, root) }},
		{"lengths overflow", "pieces", func(_, _, tree dict) {
			tree["d"], tree["e"] = file(math.MaxInt64, root), file(math.MaxInt64, root)
		}},
		{"too many pieces", "pieces", func(_, _, tree dict) { tree["d"] = file(MaxPieces*MinPieceLength, root) }},
		{"no pieces root", "no pieces root", func(_, _, tree dict) { tree["d"] = dict{"": dict{"length": 1}} }},
		{"short pieces root", "pieces root of 31", func(_, _, tree dict) {
			tree["d"] = dict{"": dict{"length": 1, "pieces root": root[:31]}}
		}},
		{"empty with a pieces root", "has a pieces root", func(_, _, tree dict) { tree["d"] = file(0, root) }},
		{"symlink", "symlink", func(_, _, tree dict) {
			tree["d"] = dict{"": dict{"length": 0, "attr": "l", "symlink path": []any{"etc"}}}
		}},
		{"symlink path alone", "symlink", func(_, _, tree dict) {
			tree["d"] = dict{"": dict{"length": 0, "symlink path": []any{"etc"}}}
		}},
		{"pad file", "pad file", func(_, _, tree dict) { tree["d"] = dict{"": dict{"attr": "p", "length": 0}} }},
		{"no piece layers", "none for", func(torrent, _, _ dict) { delete(torrent, "piece layers") }},
		{"layer missing", "none for", func(torrent, _, _ dict) {
			torrent["piece layers"] = dict{strings.Repeat("\xff", 32): ""}
		}},
		{"layer too short", "64 bytes for 3", func(torrent, _, _ dict) {
			for k := range torrent["piece layers"].(dict) {
				torrent["piece layers"].(dict)[k] = flatten(testNodes(2))
			}
		}},
		{"layer does not hash to the root", "hashes to", func(torrent, _, _ dict) {
			for k := range torrent["piece layers"].(dict) {
				torrent["piece layers"].(dict)[k] = flatten(testNodes(4)[1:])
			}
		}},
		{"same root, other number of pieces", "96 bytes for 4", func(_, _, tree dict) {
			tree["z"] = file(4*MinPieceLength, layerRoot(testNodes(3), MinPieceLength))
		}},
	}
}

func TestDecodeManifest(t *testing.T) {
	for _, tt := range decodeTests() {
		t.Run(tt.name, func(t *testing.T) {
			m, err := DecodeManifest(twoFiles(t, tt.edit))
			if tt.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				checkManifest(t, m)
				return
			}
			if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error %v, want an ErrInvalid with %q", err, tt.want)
			}
		})
	}
}

// checkManifest checks what every manifest promises.
func checkManifest(t *testing.T, m *Manifest) {
	t.Helper()
	var size int64
	seen := map[string]bool{}
	for _, f := range m.Files() {
		if seen[f.Path] || f.Length < 0 || !filepath.IsLocal(f.Path) {
			t.Errorf("file %+v", f)
		}
		seen[f.Path] = true
		size += f.Length
	}
	if size != m.Size() {
		t.Errorf("size %d, the files have %d", m.Size(), size)
	}
	var sum int64
	for i := range m.NumPieces() {
		f, offset := m.Locate(i)
		file := m.Files()[f]
		n := m.PieceSize(i)
		if n < 1 || n > m.PieceLength() || offset+int64(n) > file.Length || offset != int64(i-file.FirstPiece)*int64(m.PieceLength()) {
			t.Fatalf("piece %d: %d bytes at %d of %+v", i, n, offset, file)
		}
		sum += int64(n)
	}
	if sum != size {
		t.Errorf("the pieces have %d bytes, the files %d", sum, size)
	}
	if n := len(m.WebSeeds()); n > MaxWebSeeds {
		t.Errorf("%d web seeds", n)
	}
	for _, u := range m.WebSeeds() {
		if err := CheckWebSeed(u); err != nil {
			t.Error(err)
		}
	}
	torrent := m.Torrent()
	if n := m.torrentSize(); n < len(torrent) {
		t.Errorf("torrent of %d bytes, expected at most %d", len(torrent), n)
	}
	if again, err := DecodeManifest(torrent); err != nil {
		t.Errorf("its own torrent: %v", err)
	} else if again.ID() != m.ID() || !bytes.Equal(again.Torrent(), torrent) || !slices.Equal(again.hashes, m.hashes) ||
		!slices.Equal(again.WebSeeds(), m.WebSeeds()) {
		t.Error("its own torrent reads as another content")
	}
}

func TestDecodeManifestBytes(t *testing.T) {
	good := string(twoFiles(t, func(_, _, _ dict) {}))
	for name, in := range map[string]string{
		"empty":           "",
		"trailing data":   good + "e",
		"truncated":       good[:len(good)-1],
		"two infos":       strings.Replace(good, "d4:info", "d4:infode4:info", 1),
		"unsorted tree":   strings.Replace(good, "9:file treed1:a", "9:file treed1:z", 1),
		"duplicate files": strings.Replace(good, "1:bd", "1:ad", 1),
		"not bencode":     "PK\x03\x04",
		"too large":       strings.Repeat("x", MaxTorrentSize+1),
	} {
		if in == good {
			t.Fatalf("%s: the edit did nothing", name)
		}
		if _, err := DecodeManifest([]byte(in)); !errors.Is(err, ErrInvalid) || len(err.Error()) > 300 {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// The ID is over the info dictionary as it came, with what we do not read.
func TestInfoIsKeptByteForByte(t *testing.T) {
	in := twoFiles(t, func(torrent, info, _ dict) { torrent["comment"] = "dropped"; info["x-unknown"] = []any{"kept"} })
	m, err := DecodeManifest(in)
	if err != nil {
		t.Fatal(err)
	}
	start, end := bytes.Index(in, []byte("4:info"))+6, bytes.Index(in, []byte("12:piece layers"))
	if want := ContentID(sha256.Sum256(in[start:end])); m.ID() != want {
		t.Errorf("ID %v, want %v", m.ID(), want)
	}
	clear(in) // the manifest must not alias its input
	if out := string(m.Torrent()); !strings.Contains(out, "9:x-unknownl4:kepte") || strings.Contains(out, "comment") {
		t.Errorf("torrent %q", out)
	}
	checkManifest(t, m)
}

// Single file or folder is told by the name, as libtorrent writes it.
func TestIsFolder(t *testing.T) {
	for tree, want := range map[string]bool{"n": false, "m": true, "n/n": true} {
		m, err := DecodeManifest(twoFiles(t, func(_, info, _ dict) {
			node := file(1, testNodes(1)[0])
			names := strings.Split(tree, "/")
			for _, name := range slices.Backward(names) {
				node = dict{name: node}
			}
			info["file tree"] = node
		}))
		if err != nil {
			t.Fatal(err)
		}
		if m.IsFolder() != want || m.Name() != "n" || m.Files()[0].Path != tree {
			t.Errorf("%s: folder %v, files %v", tree, m.IsFolder(), m.Files())
		}
	}
}

// Files come in the tree's order: sorted within each folder, not by path.
func TestFileOrder(t *testing.T) {
	m, err := DecodeManifest(twoFiles(t, func(_, info, _ dict) {
		root := testNodes(1)[0]
		info["file tree"] = dict{"a": dict{"z": file(1, root)}, "a.txt": file(1, root), "B": dict{"": dict{"length": 0}}, "é": dict{"": dict{"length": 0}}}
	}))
	if err != nil {
		t.Fatal(err)
	}
	want := []File{{"B", 0, false, 0}, {"a/z", 1, false, 0}, {"a.txt", 1, false, 1}, {"é", 0, false, 2}}
	if !slices.Equal(m.Files(), want) {
		t.Errorf("files %v, want %v", m.Files(), want)
	}
	for piece, want := range []int{1, 2} {
		if f, offset := m.Locate(piece); f != want || offset != 0 {
			t.Errorf("piece %d is in file %d at %d", piece, f, offset)
		}
	}
}

// The torrents that BEP 52 names under "test torrents".
func TestBEP52Vectors(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/anacrolix/torrent").Output()
	if err != nil {
		t.Skipf("needs the go command and the module that carries the test torrents: %v", err)
	}
	for name, id := range map[string]string{
		"bittorrent-v2-test":        "caf1e1c30e81cb361b9ee167c4aa64228a7fa4fa9f6105232b28ad099f3a302e",
		"bittorrent-v2-hybrid-test": "d8dd32ac93357c368556af3ac1d95c9d76bd0dff6fa9833ecdac3d53134efabb",
	} {
		b, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), "testdata", name+".torrent"))
		if err != nil {
			t.Fatal(err)
		}
		m, err := DecodeManifest(b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if m.ID().String() != id {
			t.Errorf("%s: ID %v, want %s", name, m.ID(), id)
		}
		checkManifest(t, m)
	}
}

// A small manifest must not blow up to gigabytes of paths.
func TestPathsAreBounded(t *testing.T) {
	node := dict{}
	for i := range 20000 {
		node[strings.Repeat("f", 5)+string(rune('A'+i%26))+strings.Repeat("g", i/26%200+1)+string(rune('A'+i/5200))] = dict{"": dict{"length": 0}}
	}
	for range 15 {
		node = dict{strings.Repeat("d", 255): node}
	}
	_, err := DecodeManifest(twoFiles(t, func(_, info, _ dict) { info["file tree"] = node }))
	if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "all paths") {
		t.Errorf("error %v", err)
	}
}
