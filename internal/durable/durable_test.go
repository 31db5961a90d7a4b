package durable

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

func open(t *testing.T) *os.Root {
	t.Helper()
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	return root
}

// holds checks that a folder has one file, and what that holds.
func holds(t *testing.T, root *os.Root, dir, name, want string) {
	t.Helper()
	b, err := root.ReadFile(dir + "/" + name)
	if err != nil || string(b) != want {
		t.Errorf("%s holds %q, %v, want %q", name, b, err, want)
	}
	entries, err := fs.ReadDir(root.FS(), dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("%d files, %v, want one", len(entries), err)
	}
}

func TestReplace(t *testing.T) {
	root := open(t)
	if err := root.Mkdir("d", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := root.WriteFile("d/temp", []byte("a crash has left this, which is longer"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"first", "", "the third"} {
		if err := Replace(root, "d/f", "d/temp", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		holds(t, root, "d", "f", text)
		if info, err := root.Stat("d/f"); err != nil || info.Mode().Perm()&^0o600 != 0 {
			t.Errorf("%q: mode %v, %v", text, info.Mode(), err)
		}
	}
}

// What a crash has left under another name of a file is not written to: that is what the name holds.
func TestLeftoverHasTwoNames(t *testing.T) {
	root := open(t)
	if err := errors.Join(root.Mkdir("d", 0o755), root.WriteFile("d/f", []byte("mine"), 0o600), root.Link("d/f", "d/temp")); err != nil {
		t.Fatal(err)
	}
	if err := Create(root, "d/f", "d/temp", []byte("another's"), 0o600); !errors.Is(err, fs.ErrExist) {
		t.Error(err)
	}
	holds(t, root, "d", "f", "mine")
}

// NFS may answer the request that gave a name to a file, and was sent twice, as if another had.
func TestLinkSentTwice(t *testing.T) {
	root := open(t)
	if err := errors.Join(root.WriteFile("temp", nil, 0o600), root.Link("temp", "f"), root.WriteFile("other", nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if err := link(root, "temp", "f"); err != nil {
		t.Errorf("the name is this file's: %v", err)
	}
	if err := link(root, "other", "f"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("the name is another file's: %v", err)
	}
}

// What fails leaves nothing behind, and what was there as it was.
func TestReplaceFails(t *testing.T) {
	root := open(t)
	if err := root.MkdirAll("d/f/taken", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Replace(root, "d/f", "d/temp", []byte("x"), 0o600); err == nil {
		t.Error("a folder was replaced")
	}
	if entries, err := fs.ReadDir(root.FS(), "d"); err != nil || len(entries) != 1 {
		t.Errorf("%v, %v, want the folder alone", entries, err)
	}
	for _, name := range []string{"none/f", "../f"} {
		if err := Replace(root, name, name+".temp", nil, 0o600); err == nil {
			t.Errorf("%s was written", name)
		}
	}
}

// Of several that create a file one succeeds, and the file is that one's.
func TestCreate(t *testing.T) {
	root := open(t)
	if err := root.Mkdir("d", 0o755); err != nil {
		t.Fatal(err)
	}
	var (
		all sync.WaitGroup
		won atomic.Pointer[string]
	)
	for _, who := range strings.Split("abcdefgh", "") {
		all.Go(func() {
			switch err := Create(root, "d/f", "d/temp-"+who, []byte(who), 0o600); {
			case err == nil && won.Swap(&who) != nil:
				t.Error("two have created it")
			case err != nil && !errors.Is(err, fs.ErrExist):
				t.Error(err)
			}
		})
	}
	all.Wait()
	if won.Load() == nil {
		t.Fatal("nobody has created it")
	}
	holds(t, root, "d", "f", *won.Load())
}
