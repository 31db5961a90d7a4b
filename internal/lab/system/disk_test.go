//go:build linux

package system

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/internal/lab"
)

// Of fs/ext4/ext4.h.
const (
	ext4Shutdown = 0x8004587d // EXT4_IOC_SHUTDOWN, which takes a pointer to a __u32
	noLogFlush   = 2          // EXT4_GOING_FLAGS_NOLOGFLUSH: not even what the journal has is written
)

// disk is a file system of its own, whose machine may lose its power.
type disk struct {
	t     *testing.T
	dir   string // where it is mounted
	image string
}

// newDisk makes a disk of so many bytes, whose blocks take room only once they are written.
func newDisk(t *testing.T, size shoal.Size) *disk {
	t.Helper()
	needLab(t)
	if _, err := exec.LookPath("mkfs.ext4"); err != nil {
		t.Skip("needs mkfs.ext4")
	}
	dir := t.TempDir()
	d := &disk{t, filepath.Join(dir, "disk"), filepath.Join(dir, "image")}
	must(t, os.Mkdir(d.dir, 0o755))
	must(t, os.WriteFile(d.image, nil, 0o600))
	must(t, os.Truncate(d.image, int64(size)))
	output(t, exec.Command("mkfs.ext4", "-q", d.image))
	if out, err := exec.Command("mount", "-o", "loop", d.image, d.dir).CombinedOutput(); err != nil {
		t.Skipf("needs loop devices: %s", out)
	}
	t.Cleanup(func() { _ = exec.Command("umount", "-l", d.dir).Run() })
	must(t, os.Remove(filepath.Join(d.dir, "lost+found")))
	return d
}

// cutPower leaves of the disk what has reached it, once those who write to it are killed: what they have
// synced, and little else. The file system writes nothing from one moment on, and is mounted anew.
func (d *disk) cutPower() {
	d.t.Helper()
	root, err := os.Open(d.dir)
	must(d.t, err)
	err = unix.IoctlSetPointerInt(int(root.Fd()), ext4Shutdown, noLogFlush)
	must(d.t, errors.Join(err, root.Close()))
	output(d.t, exec.Command("umount", d.dir))
	output(d.t, exec.Command("mount", "-o", "loop", d.image, d.dir))
}

// mount mounts a file system on a folder until the test ends.
func mount(t *testing.T, dir string, args ...string) {
	t.Helper()
	needLab(t)
	output(t, exec.Command("mount", append(args, dir)...))
	t.Cleanup(func() { _ = exec.Command("umount", "-l", dir).Run() })
}

// needLab skips a test that mounts before it starts its lab, where there is none.
func needLab(t *testing.T) {
	t.Helper()
	if err := lab.Available(); err != nil {
		t.Skip(err)
	}
}
